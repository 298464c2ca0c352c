import { type Command, Option } from "commander";
import { type Context, MOST_LISTED, wholeNumber } from "../context.js";
import { facts, json, moment, shortened, table } from "../output.js";
import { wholeId } from "../short-id.js";

interface Session {
  readonly id: string;
  readonly status: string;
  readonly principal?: { readonly id: string; readonly run: string };
  readonly resource: string;
  readonly token_id: string;
  readonly client_address: string;
  readonly client_application: string;
  readonly started_at?: string;
  readonly ended_at?: string;
  readonly ended_because: string;
  readonly commands: number;
  readonly refused: number;
  readonly values_masked: number;
}
interface LoggedCommand {
  readonly ordinal: number;
  readonly statement: string;
  readonly verdict: string;
  readonly status: string;
  readonly policies: readonly string[];
  readonly rows: number;
  readonly values_masked: number;
  readonly reason: string;
}

export function addSessions(program: Command, { client, print }: Context): void {
  const sessions = program.command("sessions").description("what agents do");
  sessions
    .command("ls")
    .description("list them, newest first")
    .addOption(new Option("--status <status>", "only these").choices(["open", "ended", "lost"]))
    .option("--resource <name>", "only of this resource")
    .option("--limit <n>", "at most this many", wholeNumber(1, MOST_LISTED), 100)
    .option("--json")
    .action(async (options: { status?: string; resource?: string; limit: number; json?: boolean }) => {
      const { status, resource, limit } = options;
      const found = await client().list<Session>("/v1/sessions", { status, resource }, limit);
      print(options.json ? json(found) : found.length === 0 ? "no sessions" : listed(found));
    });
  sessions
    .command("show <id>")
    .description("one with its commands; the beginning of its id will do")
    .option("--json")
    .action(async (id: string, options: { json?: boolean }) => {
      const path = `/v1/sessions/${encodeURIComponent(await wholeId(client(), "/v1/sessions", id))}`;
      const session = await client().get<Session & { command_log: LoggedCommand[] }>(path);
      print(options.json ? json(session) : shown(session));
    });
  sessions
    .command("end <id>")
    .description("end it on the wire")
    .option("--reason <text>", "why; it is recorded, and the client is told")
    .action(async (id: string, { reason }: { reason?: string }) => {
      const whole = await wholeId(client(), "/v1/sessions", id);
      await client().change("DELETE", `/v1/sessions/${encodeURIComponent(whole)}`, { query: { reason } });
      print(`${whole} is being ended`);
    });
}

const listed = (found: readonly Session[]) =>
  table(found, [
    { title: "id", of: ({ id }) => id },
    { title: "status", of: ({ status }) => status },
    { title: "started", of: ({ started_at }) => moment(started_at) },
    { title: "principal", of: ({ principal }) => principal?.id },
    { title: "resource", of: ({ resource }) => resource },
    { title: "token", of: ({ token_id }) => token_id },
    { title: "commands", of: ({ commands }) => commands },
    { title: "refused", of: ({ refused }) => refused },
    { title: "masked", of: ({ values_masked }) => values_masked },
  ]);

const shown = (session: Session & { command_log: readonly LoggedCommand[] }) =>
  [
    facts([
      ["id", session.id],
      ["status", session.ended_because ? `${session.status} (${session.ended_because})` : session.status],
      ["principal", session.principal?.id],
      ["run", session.principal?.run],
      ["resource", session.resource],
      ["token", session.token_id],
      ["client", `${session.client_address} ${session.client_application}`],
      ["started", moment(session.started_at)],
      ["ended", moment(session.ended_at)],
    ]),
    table(session.command_log, [
      { title: "#", of: ({ ordinal }) => ordinal },
      { title: "verdict", of: ({ verdict }) => verdict },
      { title: "status", of: ({ status }) => status },
      { title: "rows", of: ({ rows }) => rows },
      { title: "masked", of: ({ values_masked }) => values_masked },
      { title: "policies", of: ({ policies }) => policies },
      { title: "statement", of: ({ statement }) => shortened(statement) },
      { title: "reason", of: ({ reason }) => shortened(reason, 100) },
    ]),
  ].join("\n\n");
