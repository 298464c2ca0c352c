import { type MaskPlan, NOTHING_MASKED } from "#commands";
import type { Outcome } from "#protocols";
import { CLIENT, SERVER } from "../../libs/protocols/src/postgres/codes.js";
import { DENIED, Driven, HIDING } from "../../libs/protocols/src/postgres/conversation.fixture.js";
import { back, front } from "../../libs/protocols/src/postgres/wire.fixture.js";
import type { Row } from "./table.js";

/** In every text and value that a message has room for. */
const HIDDEN = "HIDDEN";
const NOTHING = "passed: nothing in it";

/** What was said before: by the client (`c`) and the server (`s`). */
type Said = readonly (readonly ["c" | "s", Buffer])[];
/** One message, where it belongs. */
interface Scene {
  readonly of?: string;
  readonly before?: Said;
  readonly message: Buffer;
}

const PARSED: Said = [
  ["c", front.parse("s", "select")],
  ["s", back.parseComplete()],
];
const BOUND: Said = [...PARSED, ["c", front.bind("p", "s", ["v"])], ["s", back.bindComplete()]];
const SHOWN: Said = [...BOUND, ["c", front.describe("P", "p")], ["s", back.columns({ name: "email" })]];
const QUERIED: Said = [["c", front.query("select")]];
const DESCRIBED: Said = [...QUERIED, ["s", back.columns({ name: "email" })]];
const COPYING_IN: Said = [...QUERIED, ["s", back.copyIn(1)]];
const COPYING_OUT: Said = [...QUERIED, ["s", back.copyOut(1)]];
const FIELDS = { V: "ERROR", C: "22P02", M: HIDDEN, D: HIDDEN, W: HIDDEN };

/** A kind without a scene does not compile. */
const FROM_CLIENT: Readonly<Record<keyof typeof CLIENT, readonly Scene[]>> = {
  Bind: [{ before: PARSED, message: front.bind("p", "s", ["v"]) }],
  Close: [{ before: BOUND, message: front.close("P", "p") }],
  CopyData: [{ before: COPYING_IN, message: front.copyData("v\n") }],
  CopyDone: [{ before: COPYING_IN, message: front.copyDone() }],
  CopyFail: [{ before: COPYING_IN, message: front.copyFail("v") }],
  Describe: [{ before: BOUND, message: front.describe("P", "p") }],
  Execute: [
    { of: "of a portal", before: BOUND, message: front.execute("p") },
    { of: "of an SQL cursor", message: front.execute("cursor") },
  ],
  Flush: [{ message: front.flush() }],
  FunctionCall: [{ message: front.call(7, ["v"]) }],
  Parse: [{ message: front.parse("s", "select") }],
  Password: [{ of: "after the login", message: front.sasl("v") }],
  Query: [{ message: front.query("select") }],
  Sync: [{ message: front.sync() }],
  Terminate: [{ message: front.terminate() }],
};
const FROM_SERVER: Readonly<Record<keyof typeof SERVER, readonly Scene[]>> = {
  Authentication: [{ of: "after the login", message: back.authentication(3) }],
  BackendKeyData: [{ of: "after the login", message: back.key(1, 2) }],
  BindComplete: [{ before: [...PARSED, ["c", front.bind("p", "s")]], message: back.bindComplete() }],
  CloseComplete: [{ before: [...BOUND, ["c", front.close("P", "p")]], message: back.closeComplete() }],
  CommandComplete: [{ before: QUERIED, message: back.complete("UPDATE 1") }],
  CopyBothResponse: [{ before: QUERIED, message: Buffer.concat([Buffer.from("W"), back.copyOut(1).subarray(1)]) }],
  CopyData: [{ before: COPYING_OUT, message: back.copyData(`${HIDDEN}\n`) }],
  CopyDone: [{ before: COPYING_OUT, message: back.copyDone() }],
  CopyInResponse: [{ before: QUERIED, message: back.copyIn(1) }],
  CopyOutResponse: [{ before: QUERIED, message: back.copyOut(1) }],
  DataRow: [{ before: DESCRIBED, message: back.row(HIDDEN) }],
  EmptyQueryResponse: [{ before: QUERIED, message: back.empty() }],
  ErrorResponse: [{ before: QUERIED, message: back.error(FIELDS) }],
  FunctionCallResponse: [{ before: [["c", front.call(7, ["v"])]], message: back.call(HIDDEN) }],
  NegotiateProtocolVersion: [{ of: "after the login", message: back.negotiate(196608) }],
  NoData: [{ before: [...BOUND, ["c", front.describe("P", "p")]], message: back.noData() }],
  NoticeResponse: [{ before: QUERIED, message: back.notice(FIELDS) }],
  NotificationResponse: [{ before: QUERIED, message: back.notification("channel", HIDDEN) }],
  ParameterDescription: [{ before: [...PARSED, ["c", front.describe("S", "s")]], message: back.parameters() }],
  ParameterStatus: [{ before: QUERIED, message: back.parameter("TimeZone", "UTC") }],
  ParseComplete: [{ before: [["c", front.parse("s", "select")]], message: back.parseComplete() }],
  PortalSuspended: [{ before: [...SHOWN, ["c", front.execute("p", 1)]], message: back.suspended() }],
  ReadyForQuery: [{ before: [...QUERIED, ["s", back.complete("UPDATE 1")]], message: back.ready() }],
  RowDescription: [{ before: QUERIED, message: back.columns({ name: "email" }) }],
};

export const clientRows = (): Row[] => rowsOf(FROM_CLIENT, fromClient);
export const serverRows = (): Row[] => rowsOf(FROM_SERVER, fromServer);

const rowsOf = (scenes: Readonly<Record<string, readonly Scene[]>>, look: (scene: Scene) => Omit<Row, "kind">) =>
  Object.entries(scenes).flatMap(([kind, of]) =>
    of.map((scene) => ({ kind: scene.of ? `${kind}, ${scene.of}` : kind, ...look(scene) })),
  );

/** A conversation that has come to the scene; everything it gives is hidden, and nothing of the message is denied yet. */
function scene({ before = [] }: Scene, allow: MaskPlan = HIDING): Driven {
  const driven = new Driven({ scrubNotifications: () => allow === HIDING });
  driven.decide = () => allow;
  for (const [by, message] of before) by === "c" ? driven.client(message) : driven.server(message);
  return driven;
}

const refused = (reason: string): Omit<Row, "kind"> => {
  const denied = `denied: ${reason}; the session ends`;
  return {
    understood: denied,
    decided: denied,
    masked: "passed: nothing of it goes on",
    recorded: "the session's end, and why",
  };
};

/** Whether its body is read to the end: a byte too many is noticed then. */
function isRead(of: Scene, side: "client" | "server"): boolean {
  const longer = Buffer.concat([of.message, Buffer.from([7])]);
  longer.writeInt32BE(longer.length - 1, 1);
  const driven = scene(of);
  driven[side](longer);
  return driven.faults.length > 0;
}

function fromClient(of: Scene): Omit<Row, "kind"> {
  const driven = scene(of);
  const known = driven.gates.length;
  const sent = driven.client(of.message);
  if (driven.faults[0]) return refused(driven.faults[0].message);
  const gate = driven.gates[known];
  if (!gate) {
    if (!sent.includes(of.message)) throw new Error("a message of the client's is lost");
    const understood = isRead(of, "client") ? "all of it" : "its place";
    return {
      understood,
      decided: "passed: it runs nothing that was not decided",
      masked: "passed: it gives nothing back by itself",
      recorded: "passed: with the command it belongs to",
    };
  }
  const denying = scene(of);
  denying.decide = () => DENIED;
  if (denying.client(of.message).includes(of.message)) throw new Error("a denied message goes upstream");
  const what = gate.functionOid ? "the function, by its number" : "its text";
  return {
    understood: gate.parameters.length > 0 ? `${what}, and its values` : what,
    decided: gate.stage === "run" ? "before it goes on" : "before it goes on, and again when it is bound",
    masked:
      gate.stage === "run" ? "what it gives back, by the plan made here" : "passed: it gives nothing back by itself",
    recorded: gate.stage === "run" ? "before it goes on, and its end" : "where it is refused",
  };
}

function fromServer(of: Scene): Omit<Row, "kind"> {
  const driven = scene(of);
  const before = told(driven);
  const shown = driven.server(of.message);
  if (driven.faults[0]) return refused(driven.faults[0].message);
  const after = told(driven);
  if (shown.includes(HIDDEN)) throw new Error("a value is shown");
  const holds = of.message.includes(HIDDEN);
  const open = scene(of, NOTHING_MASKED).server(of.message);
  if (!open.equals(of.message)) throw new Error("what is not masked does not arrive as it is");
  const facts = Object.keys(after).filter(
    (key) => JSON.stringify(before[key as never]) !== JSON.stringify(after[key as never]),
  );
  return {
    understood: isRead(of, "server") ? "all of it" : "its place",
    decided: "passed: it answers what was decided",
    masked: holds ? "yes" : NOTHING,
    recorded: facts.length > 0 ? `its command's ${facts.join(", ")}` : "passed: with the command it answers",
  };
}

/** What is known of the command, as it will be recorded. */
function told(driven: Driven): Partial<Outcome> & { end?: string } {
  const ended = [...driven.outcomes.values()].at(-1);
  const outcome = ended ?? driven.conversation.unfinished().at(-1)?.outcome;
  return { ...outcome, ...(ended && { end: "end" }) };
}
