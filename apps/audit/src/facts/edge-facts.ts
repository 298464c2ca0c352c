import { create, type DescMessage, type Message, toBinary, toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { edgeV1 } from "#contracts";
import type { Fact } from "./control-facts.js";
import { withhold } from "./withhold.js";

const UNREADABLE = "record.unreadable";

export const KINDS = {
  sessionStarted: ["session.started", edgeV1.SessionStartedSchema],
  sessionEnded: ["session.ended", edgeV1.SessionEndedSchema],
  loginRefused: ["login.refused", edgeV1.LoginRefusedSchema],
  commandStarted: ["command.started", edgeV1.CommandStartedSchema],
  commandHeld: ["command.held", edgeV1.CommandHeldSchema],
  holdEnded: ["hold.ended", edgeV1.HoldEndedSchema],
  commandRefused: ["command.refused", edgeV1.CommandRefusedSchema],
  commandEnded: ["command.ended", edgeV1.CommandEndedSchema],
  labelUnmatched: ["label.unmatched", edgeV1.LabelUnmatchedSchema],
  spoolOpened: ["spool.opened", edgeV1.SpoolOpenedSchema],
} as const satisfies Record<NonNullable<edgeV1.Record["fact"]["case"]>, readonly [string, DescMessage]>;

/** Another enforcer can't speak for a spool: the bus proves the id. */
export const edgeSource = (enforcerId: string, source: string): string => `${enforcerId}/${source}`;

/** An observed fact as it stands in the audit log; one that can't be understood keeps its place, with its bytes. */
export function edgeFact(enforcerId: string, source: string, record: edgeV1.Record, now: Date): Fact {
  const { fact, time, sessionId } = record;
  try {
    if (!fact.case || !time) throw new Error("the record has no known fact, or no time");
    const [type, schema] = KINDS[fact.case];
    return {
      time: timestampDate(time).toISOString(),
      origin: "edge",
      source: edgeSource(enforcerId, source),
      sequence: Number(record.sequence),
      type,
      sessionId: sessionId.replaceAll("\0", "\ufffd"),
      data: withhold({ enforcer_id: enforcerId, ...jsonOf(schema, fact.value) }),
    };
  } catch (error) {
    return unreadable(enforcerId, edgeSource(enforcerId, source), Number(record.sequence), {
      bytes: toBinary(edgeV1.RecordSchema, record),
      why: (error as Error).message,
      now,
    });
  }
}

export function unreadable(
  enforcerId: string,
  source: string,
  sequence: number,
  { bytes, why, now }: { readonly bytes: Uint8Array; readonly why: string; readonly now: Date },
): Fact {
  return {
    time: now.toISOString(),
    origin: "edge",
    source,
    sequence,
    type: UNREADABLE,
    sessionId: "",
    data: { enforcer_id: enforcerId, why: String(withhold(why)), bytes: Buffer.from(bytes).toString("base64") },
  };
}

/** With every field, as the read models want them; names, and words of enums, as the REST API has them. */
function jsonOf(schema: DescMessage, value: Message): Record<string, unknown> {
  const json = toJson(schema, create(schema, value), { alwaysEmitImplicit: true, useProtoFieldName: true });
  const fields = json as Record<string, unknown>;
  for (const { name, enum: words } of schema.fields) {
    if (words) fields[name] = fields[name] === words.values[0]?.name ? "" : String(fields[name]).toLowerCase();
  }
  return fields;
}
