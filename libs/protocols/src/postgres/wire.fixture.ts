/**
 * Messages written down as the manual's "Message Formats" lists them, for tests. Independent of the encoder: nothing of
 * it is used here.
 */

const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
const int32 = (value: number) =>
  Buffer.from([(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
type Text = string | Uint8Array;
const text = (value: Text) => Buffer.concat([Buffer.from(value as string), Buffer.from([0])]);

export const message = (type: string, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type, "latin1"), int32(body.length + 4), body]);
};

export type Value = string | Uint8Array | null;
const value = (item: Value) => {
  if (item === null) return int32(-1);
  const bytes = Buffer.from(item as string);
  return Buffer.concat([int32(bytes.length), bytes]);
};
const counted = (items: readonly Uint8Array[]) => [int16(items.length), ...items];

/** From a client. */
export const front = {
  query: (sql: Text) => message("Q", text(sql)),
  parse: (name: Text, sql: Text, types: readonly number[] = []) =>
    message("P", text(name), text(sql), ...counted(types.map(int32))),
  bind: (
    portal: Text,
    statement: Text,
    values: readonly Value[] = [],
    results: readonly number[] = [],
    formats: readonly number[] = [],
  ) =>
    message(
      "B",
      text(portal),
      text(statement),
      ...counted(formats.map(int16)),
      ...counted(values.map(value)),
      ...counted(results.map(int16)),
    ),
  describe: (kind: "S" | "P", name: Text) => message("D", Buffer.from(kind), text(name)),
  execute: (portal: Text, rows = 0) => message("E", text(portal), int32(rows)),
  close: (kind: "S" | "P", name: Text) => message("C", Buffer.from(kind), text(name)),
  call: (oid: number, values: readonly Value[], formats: readonly number[] = [], result = 0) =>
    message("F", int32(oid), ...counted(formats.map(int16)), ...counted(values.map(value)), int16(result)),
  sync: () => message("S"),
  flush: () => message("H"),
  terminate: () => message("X"),
  copyData: (data: string | Uint8Array) => message("d", Buffer.from(data as string)),
  copyDone: () => message("c"),
  copyFail: (reason: string) => message("f", text(reason)),
  sslRequest: () => Buffer.concat([int32(8), int32(80877103)]),
  gssRequest: () => Buffer.concat([int32(8), int32(80877104)]),
  cancelRequest: (key: Uint8Array) => Buffer.concat([int32(8 + key.length), int32(80877102), key]),
  startup: (parameters: Readonly<Record<string, string>>, version = 196608) => {
    const body = Buffer.concat([
      ...Object.entries(parameters).flatMap(([n, v]) => [text(n), text(v)]),
      Buffer.from([0]),
    ]);
    return Buffer.concat([int32(8 + body.length), int32(version), body]);
  },
  saslInitial: (mechanism: string, data: string) => message("p", text(mechanism), value(data)),
  sasl: (data: string) => message("p", Buffer.from(data)),
};

export interface Column {
  readonly name: string;
  readonly tableOid?: number;
  readonly attribute?: number;
  readonly oid?: number;
  readonly format?: number;
}

/** By their letters, and in order where they are a map. */
type Fields = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/** From a server. */
export const back = {
  authentication: (method: number, data: Uint8Array = Buffer.alloc(0)) => message("R", int32(method), data),
  parameter: (name: string, setting: string) => message("S", text(name), text(setting)),
  key: (pid: number, secret: number | Uint8Array) =>
    message("K", int32(pid), typeof secret === "number" ? int32(secret) : secret),
  negotiate: (version: number, ...unknown: string[]) =>
    message("v", int32(version), int32(unknown.length), ...unknown.map(text)),
  ready: (status: "I" | "T" | "E" = "I") => message("Z", Buffer.from(status)),
  parseComplete: () => message("1"),
  bindComplete: () => message("2"),
  closeComplete: () => message("3"),
  noData: () => message("n"),
  suspended: () => message("s"),
  empty: () => message("I"),
  parameters: () => message("t", int16(0)),
  row: (...values: Value[]) => message("D", ...counted(values.map(value))),
  columns: (...columns: Column[]) =>
    message(
      "T",
      ...counted(
        columns.map(({ name, tableOid = 0, attribute = 0, oid = 25, format = 0 }) =>
          Buffer.concat([
            text(name),
            int32(tableOid),
            int16(attribute),
            int32(oid),
            int16(-1),
            int32(-1),
            int16(format),
          ]),
        ),
      ),
    ),
  complete: (tag: string) => message("C", text(tag)),
  error: (fields: Fields) => message("E", ...fieldsOf(fields)),
  notice: (fields: Fields) => message("N", ...fieldsOf(fields)),
  notification: (channel: string, payload: string, pid = 7) => message("A", int32(pid), text(channel), text(payload)),
  copyOut: (columns: number, format = 0) =>
    message("H", Buffer.from([format]), ...counted(Array.from({ length: columns }, () => int16(format)))),
  copyIn: (columns: number) =>
    message("G", Buffer.from([0]), ...counted(Array.from({ length: columns }, () => int16(0)))),
  copyData: (data: string | Uint8Array) => message("d", Buffer.from(data as string)),
  copyDone: () => message("c"),
  call: (result: Value) => message("V", value(result)),
};

const fieldsOf = (fields: Fields) => [
  ...Array.from(fields instanceof Map ? fields : Object.entries(fields), ([letter, content]) =>
    Buffer.concat([Buffer.from(letter, "latin1"), text(content)]),
  ),
  Buffer.from([0]),
];

/** Takes a stream of typed messages apart. */
export function frames(bytes: Uint8Array): Buffer[] {
  const buffer = Buffer.from(bytes);
  const whole: Buffer[] = [];
  for (let at = 0; at < buffer.length; ) {
    const size = buffer.readInt32BE(at + 1) + 1;
    if (size < 5 || at + size > buffer.length) throw new Error(`broken message at ${at}`);
    whole.push(buffer.subarray(at, at + size));
    at += size;
  }
  return whole;
}

/** Each message as its letter and its body in latin1. */
export const taken = (bytes: Uint8Array): { type: string; body: string }[] =>
  frames(bytes).map((frame) => ({
    type: String.fromCharCode(frame[0] as number),
    body: frame.toString("latin1", 5),
  }));

/** The types only, in one word: `TDDCZ`. */
export const types = (bytes: Uint8Array): string =>
  taken(bytes)
    .map(({ type }) => type)
    .join("");

/** The values of a DataRow. */
export function valuesOf(row: Uint8Array): (Buffer | null)[] {
  const buffer = Buffer.from(row);
  const values: (Buffer | null)[] = [];
  let at = 7;
  for (let left = buffer.readInt16BE(5); left > 0; left--) {
    const length = buffer.readInt32BE(at);
    at += 4;
    if (length === -1) values.push(null);
    else {
      values.push(buffer.subarray(at, at + length));
      at += length;
    }
  }
  if (at !== buffer.length) throw new Error("the row is not as long as it says");
  return values;
}

/** Fields of an error's or notice's body. */
export function errorFields(body: string): Record<string, string> {
  const entries = body
    .split("\0")
    .filter((field) => field !== "")
    .map((field) => [field[0] as string, field.slice(1)] as const);
  return Object.fromEntries(entries);
}
