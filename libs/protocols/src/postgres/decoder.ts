import { Buffer } from "node:buffer";
import { ByteReader, type FrameFormat, MalformedBytes } from "#bytes";
import { MessageTypes, STATUS } from "./codes.js";
import type {
  Bind,
  CopyResponse,
  Execute,
  Fields,
  Format,
  FunctionCall,
  ParameterStatus,
  Parse,
  Query,
  RowDescription,
  Target,
  WireValue,
} from "./messages.js";

/** A type byte, and a length that counts itself but not the type. */
export const MESSAGE_FORMAT: FrameFormat = {
  headerLength: 5,
  size(bytes, at) {
    const length =
      (((bytes[at + 1] as number) << 24) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 8) |
        (bytes[at + 4] as number)) >>>
      0;
    // The server's own bound is 1 GiB; a larger length, or a negative one, is no message of this protocol.
    if (length < 4 || length > 0x4000_0000) throw new MalformedBytes(`a message cannot have the length ${length | 0}`);
    return length + 1;
  },
};

const STATUSES = new MessageTypes(Object.values(STATUS));

/** NAMEDATALEN - 1: what the server compares of a statement's or portal's name, in bytes. */
const NAME_LENGTH = 63;

/**
 * The key of a statement's or portal's name: two names have one key exactly if they are one name to the server, which
 * cuts them at 63 bytes without regard to characters.
 */
export function nameKey(name: string | Uint8Array): string {
  if (name.length === 0) return "";
  return bufferOf(typeof name === "string" ? Buffer.from(name, "utf8") : name).toString("latin1", 0, NAME_LENGTH);
}

/** The name a key stands for, as well as it can be shown. */
export const nameOfKey = (key: string): string => Buffer.from(key, "latin1").toString("utf8");

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Up to this, it costs less to look whether all is ASCII than to have the decoder look. */
const SHORT_TEXT = 128;

const bufferOf = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

function isAscii(bytes: Uint8Array): boolean {
  let bits = 0;
  for (let i = 0; i < bytes.length; i++) bits |= bytes[i]!;
  return bits < 0x80;
}

/** Null where the bytes are not UTF-8. */
export function utf8(bytes: Uint8Array): string | null {
  if (bytes.length <= SHORT_TEXT && isAscii(bytes)) return bufferOf(bytes).toString("latin1");
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}

/** A whole message, or a reader that stands behind its header. */
export type Frame = Uint8Array | ByteReader;

/** Reads a frame's body with `read` and sees that nothing is left over. */
function body<T>(frame: Frame, read: (reader: ByteReader) => T): T {
  const reader = frame instanceof ByteReader ? frame : new ByteReader(frame, MESSAGE_FORMAT.headerLength);
  const message = read(reader);
  reader.end();
  return message;
}

/** As `nameKey`. */
const name = (reader: ByteReader) => reader.latin1(NAME_LENGTH);

function format(reader: ByteReader): Format {
  const code = reader.int16();
  if (code === 0) return "text";
  if (code === 1) return "binary";
  throw new MalformedBytes(`there is no format ${code}`);
}

const NONE: readonly never[] = [];

function list<T>(reader: ByteReader, read: (reader: ByteReader) => T): readonly T[] {
  const count = reader.uint16();
  if (count === 0) return NONE;
  const items = [read(reader)];
  while (items.length < count) items.push(read(reader));
  return items;
}

/** No formats: all are text; one: it is everybody's; else one each. */
export function formatOf(formats: readonly Format[], index: number): Format {
  if (formats.length === 1) return formats[0] as Format;
  return formats[index] ?? "text";
}

function values(reader: ByteReader): readonly WireValue[] {
  const formats = list(reader, format);
  const count = reader.uint16();
  if (formats.length > 1 && formats.length !== count) {
    throw new MalformedBytes(`${formats.length} formats for ${count} values`);
  }
  if (count === 0) return NONE;
  const values = [value(reader, formatOf(formats, 0))];
  while (values.length < count) values.push(value(reader, formatOf(formats, values.length)));
  return values;
}

function value(reader: ByteReader, format: Format): WireValue {
  const length = reader.int32();
  if (length < -1) throw new MalformedBytes(`a value cannot have the length ${length}`);
  return { format, bytes: length === -1 ? null : reader.view(length) };
}

// ---- from the client -----------------------------------------------------------------------------------------------

export const decodeQuery = (frame: Frame): Query => body(frame, (r) => ({ text: utf8(r.untilNul()) }));

export const decodeParse = (frame: Frame): Parse =>
  body(frame, (r) => {
    const message = { name: name(r), text: utf8(r.untilNul()) };
    list(r, (inner) => inner.uint32()); // parameter types
    return message;
  });

export const decodeBind = (frame: Frame): Bind =>
  body(frame, (r) => ({ portal: name(r), statement: name(r), values: values(r), resultFormats: list(r, format) }));

/** Describe and Close. */
export const decodeTarget = (frame: Frame): Target =>
  body(frame, (r) => {
    const letter = r.uint8();
    if (letter === 0x53 /* S */) return { kind: "statement", name: name(r) };
    if (letter === 0x50 /* P */) return { kind: "portal", name: name(r) };
    throw new MalformedBytes("neither a statement nor a portal");
  });

export const decodeExecute = (frame: Frame): Execute => body(frame, (r) => ({ portal: name(r), maxRows: r.int32() }));

export const decodeFunctionCall = (frame: Frame): FunctionCall =>
  body(frame, (r) => {
    return { oid: r.uint32(), values: values(r), resultFormat: format(r) };
  });

/** Sync, Flush, Terminate, CopyDone: nothing inside. */
export const decodeEmpty = (frame: Frame): void => body(frame, () => undefined);

// ---- from the server -----------------------------------------------------------------------------------------------

export const decodeRowDescription = (frame: Frame): RowDescription =>
  body(frame, (r) =>
    list(r, (inner) => {
      const column = { name: inner.cstring(), tableOid: inner.uint32(), attribute: inner.int16() };
      const oid = inner.uint32();
      inner.int16(); // the type's length
      inner.int32(); // its modifier
      return { ...column, type: { oid, format: format(inner) } };
    }),
  );

export const decodeCommandComplete = (frame: Frame): string => body(frame, (r) => r.cstring());

export const decodeReadyForQuery = (frame: Frame): number =>
  body(frame, (r) => {
    const status = r.uint8();
    if (!STATUSES.has(status)) throw new MalformedBytes("a transaction cannot have this status");
    return status;
  });

export const decodeParameterStatus = (frame: Frame): ParameterStatus =>
  body(frame, (r) => ({ name: r.cstring(), value: r.cstring() }));

/** CopyInResponse, CopyOutResponse. */
export const decodeCopyResponse = (frame: Frame): CopyResponse =>
  body(frame, (r) => ({ format: r.uint8() === 0 ? "text" : "binary", columns: list(r, format).length }));

/** ErrorResponse, NoticeResponse. */
export const decodeFields = (frame: Frame): Fields =>
  body(frame, (r) => {
    const fields = new Map<string, string>();
    for (let letter = r.uint8(); letter !== 0; letter = r.uint8()) fields.set(String.fromCharCode(letter), r.cstring());
    return fields;
  });

/** Whether an error ends the session: then the server answers nothing any more. */
export const isFatal = (fields: Fields): boolean => ["FATAL", "PANIC"].includes(fields.get("V") ?? "");

export const decodeNotification = (frame: Frame): { pid: number; channel: string; payload: string } =>
  body(frame, (r) => ({ pid: r.int32(), channel: r.cstring(), payload: r.cstring() }));

/** The method and what belongs to it. */
export const decodeAuthentication = (frame: Frame): { method: number; data: Uint8Array } =>
  body(frame, (r) => ({ method: r.int32(), data: r.rest() }));

export const decodeNegotiateProtocolVersion = (frame: Frame): { version: number; unknown: readonly string[] } =>
  body(frame, (r) => {
    const version = r.int32();
    const unknown: string[] = [];
    for (let left = r.int32(); left > 0; left--) unknown.push(r.cstring());
    return { version, unknown };
  });

export const decodeBody = (frame: Frame): Uint8Array => body(frame, (r) => r.rest());
