import { errorFields, taken, valuesOf } from "../../libs/protocols/src/postgres/wire.fixture.js";
import { Numbered } from "./numbered.js";

/**
 * What a server said on one connection, a line a message, without what must differ: the proof of the login, process ids
 * and cancel keys, OIDs of objects made by users. `normalise` is for the values.
 */
export function said(stream: Buffer, normalise: (text: string) => string): string[] {
  const numbers = new Numbered();
  const shown = (bytes: string) => numbers.in(normalise(JSON.stringify(bytes).slice(1, -1)));
  const lines: string[] = [];
  for (const { type, body } of taken(stream)) {
    if (type === "R" || type === "K") continue;
    if (type === "D") lines.push(`D ${row(body, shown).join(" | ")}`);
    else if (type === "T") lines.push(`T ${columns(body, numbers).join(" | ")}`);
    else if (type === "A") lines.push(`A ${shown(body.slice(4))}`);
    else if (type === "E" || type === "N") lines.push(`${type} ${JSON.stringify(texts(body, shown))}`);
    else lines.push(`${type} ${shown(body)}`);
  }
  return lines;
}

function row(body: string, shown: (bytes: string) => string): string[] {
  const frame = Buffer.concat([Buffer.alloc(5), Buffer.from(body, "latin1")]);
  return valuesOf(frame).map((value) => (value === null ? "NULL" : shown(value.toString("latin1"))));
}

function columns(body: string, numbers: Numbered): string[] {
  const bytes = Buffer.from(body, "latin1");
  const described: string[] = [];
  for (let at = 2, left = bytes.readInt16BE(0); left > 0; left--) {
    const end = bytes.indexOf(0, at);
    const name = bytes.toString("utf8", at, end);
    const table = numbers.of(bytes.readUInt32BE(end + 1));
    const type = numbers.of(bytes.readUInt32BE(end + 7));
    const rest = bytes.subarray(end + 11, end + 19).toString("hex");
    described.push(`${name} ${table}.${bytes.readInt16BE(end + 5)} ${type} ${rest}`);
    at = end + 19;
  }
  return described;
}

/**
 * These are told by the enforcer, which does not know where in its sources this server would have noticed: a syntax error,
 * a statement that does not exist. And where rows are masked, a portal is described first.
 */
const TOLD = new Set(["42601", "26000", "34000"]);

function texts(body: string, shown: (bytes: string) => string): Record<string, string> {
  const { F, L, R, ...fields } = errorFields(body);
  const place = TOLD.has(fields.C ?? "") ? {} : { F, L, R };
  return Object.fromEntries(
    Object.entries({ ...fields, ...place }).map(([letter, text]) => [
      letter,
      letter === "C" ? text! : shown(text ?? ""),
    ]),
  );
}
