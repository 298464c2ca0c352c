import { moment, shortened, style } from "./output.js";

/** One line of GET /v1/events. */
export interface Entry {
  readonly index: number;
  readonly time?: string;
  readonly type?: string;
  readonly session_id?: string;
  readonly data?: unknown;
}

type Fields = Record<string, unknown>;

/** `12  09:30:01  command.refused  4fa2c1d0  delete from customers · say-which-rows`. */
export function eventLine({ index, time, type = "", session_id = "", data }: Entry): string {
  const about = summary(type, fieldsOf(data));
  const columns = [
    String(index).padStart(6),
    style("dim", moment(time).padEnd(19)),
    painted(type, type.padEnd(19)),
    style("dim", session_id.slice(0, 8).padEnd(8)),
    about,
  ];
  return columns.join("  ").trimEnd();
}

function painted(type: string, text: string): string {
  if (/refused|revoked|rejected|denied|unmatched|disowned|unreadable/.test(type)) return style("red", text);
  if (/held|hold|requested/.test(type)) return style("yellow", text);
  return /ended|approved|granted/.test(type) ? style("green", text) : text;
}

/** What a person wants to know first of an entry, of whatever kind: what, by whom, how it went. */
function summary(type: string, data: Fields): string {
  const event = fieldsOf(data.event);
  if (type === "exchange.refused") return line(...refusedExchange(event));
  if (type === "spool.opened") return line(...openedSpool(data));
  if (type === "records.missing") {
    return line(`enforcer ${String(data.enforcer_id)}`, `records ${String(data.first)} to ${String(data.last)}`);
  }
  const command = fieldsOf(data.command);
  const all = { ...data, ...event };
  const principal = fieldsOf(all.principal ?? all.requester);
  // Whose a command is, its session's line has said.
  const who = type.startsWith("command.")
    ? []
    : [
        principal.id ?? fieldsOf(fieldsOf(all.grant).principal).id ?? data.enforcer_name ?? fieldsOf(data.actor).name,
        all.label,
        all.resource ?? fieldsOf(all.grant).resource,
      ];
  return line(
    command.statement ?? all.statement,
    ...who,
    all.column,
    fieldsOf(all.object ?? all.document).name ?? all.name,
    all.approval_id && `approval ${String(all.approval_id)}`,
    typeof data.stream === "string" && NAMING_STREAM.test(data.stream) && data.stream.replace(/[-/]/, " "),
    all.tag,
    all.error_code,
    all.error_message,
    typeof all.values_masked === "string" && all.values_masked !== "0" ? `${all.values_masked} masked` : "",
    all.reason ?? all.message ?? all.why,
    all.token_fault && `token ${String(all.token_id)}: ${String(all.token_fault).replaceAll("_", " ")}`,
    all.cause,
    all.status,
  );
}

/** Of streams that are named by an id which their events do not repeat. */
const NAMING_STREAM = /^(token|approval)-|^enforcer\//;

/** Sessions that were open in the source before are lost, and so may be records. */
function openedSpool({ enforcer_id, replaces, lost }: Fields): unknown[] {
  const before = replaces ? `in the place of ${String(replaces)}, whose sessions are gone` : "a new one";
  const records = typeof lost === "string" && lost !== "0" && `${lost} record${lost === "1" ? "" : "s"} lost`;
  return [`enforcer ${String(enforcer_id)}`, before, records];
}

function refusedExchange({ reason, message, issuer, subject, principal_id, resource, count }: Fields): unknown[] {
  const whose = principal_id || (subject ? `${String(issuer)}|${String(subject)}` : issuer);
  const why = `${String(reason).replaceAll("_", " ")}: ${String(message)}`;
  return [whose, resource, why, typeof count === "number" && count > 1 && `${count} times`];
}

const line = (...said: readonly unknown[]) =>
  said
    .filter((part): part is string => typeof part === "string" && part !== "")
    .map((part) => shortened(part, 100))
    .join(" · ");

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
