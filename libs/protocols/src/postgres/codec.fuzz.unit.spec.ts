import fc from "fast-check";
import { FrameAssembler, MalformedBytes, TooLarge } from "#bytes";
import { target } from "../../../../test/fuzz/target.js";
import { STATUS } from "./codes.js";
import { cuts, damaged, parts } from "./damage.fixture.js";
import {
  decodeAuthentication,
  decodeBind,
  decodeCommandComplete,
  decodeCopyResponse,
  decodeExecute,
  decodeFields,
  decodeFunctionCall,
  decodeNegotiateProtocolVersion,
  decodeNotification,
  decodeParameterStatus,
  decodeParse,
  decodeQuery,
  decodeReadyForQuery,
  decodeRowDescription,
  decodeTarget,
  MESSAGE_FORMAT,
} from "./decoder.js";
import { errorResponse, noticeResponse, notificationResponse, parameterStatus, readyForQuery } from "./encoder.js";
import type { Format, WireValue } from "./messages.js";
import { back, front, message } from "./wire.fixture.js";

/** A kind of message: what it can say, written independently of the codec, and read by it. */
interface Kind<Message> {
  readonly name: string;
  readonly said: fc.Arbitrary<Message>;
  write(said: Message): Buffer;
  read(frame: Uint8Array): Message;
  /** As the encoder writes it, where it does. */
  encode?(said: Message): Buffer;
  [fc.toStringMethod]?(): string;
}
// biome-ignore lint/suspicious/noExplicitAny: each kind's own message goes round inside it
const kind = <Message>(given: Kind<Message>): Kind<any> => ({ ...given, [fc.toStringMethod]: () => given.name });

const text = fc.string({ unit: "binary", maxLength: 60 }).filter((string) => !string.includes("\0"));
/** A key: up to 63 bytes, whatever they are. */
const key = fc.uint8Array({ min: 1, maxLength: 63 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const nameOf = (of: string) => Buffer.from(of, "latin1");
const format = fc.constantFrom<Format>("text", "binary");
const codeOf = (of: Format) => (of === "text" ? 0 : 1);
const bytes = fc.uint8Array({ maxLength: 40 }).map((run) => Buffer.from(run));
const value: fc.Arbitrary<WireValue> = fc.record({ format, bytes: fc.option(bytes) });
const values = fc.array(value, { maxLength: 6 });
const uint32 = fc.nat(2 ** 32 - 1);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const fields = fc.uniqueArray(fc.tuple(fc.constantFrom(..."SVCMDHPpqWstcdnFLR"), text), { selector: ([of]) => of });

const FROM_CLIENT = [
  kind({ name: "Query", said: fc.record({ text }), write: (m) => front.query(m.text), read: decodeQuery as never }),
  kind({
    name: "Parse",
    said: fc.record({ name: key, text }),
    write: (m) => front.parse(nameOf(m.name), m.text, [23, 0]),
    read: decodeParse as never,
  }),
  kind({
    name: "Bind",
    said: fc.record({ portal: key, statement: key, values, resultFormats: fc.array(format, { maxLength: 4 }) }),
    write: (m) =>
      front.bind(
        nameOf(m.portal),
        nameOf(m.statement),
        m.values.map((item) => item.bytes),
        m.resultFormats.map(codeOf),
        m.values.map((item) => codeOf(item.format)),
      ),
    read: decodeBind as never,
  }),
  kind({
    name: "Describe",
    said: fc.record({ kind: fc.constantFrom("statement", "portal"), name: key }),
    write: (m) => front.describe(m.kind === "portal" ? "P" : "S", nameOf(m.name)),
    read: decodeTarget,
  }),
  kind({
    name: "Execute",
    said: fc.record({ portal: key, maxRows: int32 }),
    write: (m) => front.execute(nameOf(m.portal), m.maxRows),
    read: decodeExecute,
  }),
  kind({
    name: "FunctionCall",
    said: fc.record({ oid: uint32, values, resultFormat: format }),
    write: (m) =>
      front.call(
        m.oid,
        m.values.map((item) => item.bytes),
        m.values.map((item) => codeOf(item.format)),
        codeOf(m.resultFormat),
      ),
    read: decodeFunctionCall as never,
  }),
];

const FROM_SERVER = [
  kind({
    name: "RowDescription",
    said: fc.array(
      fc.record({
        name: text,
        tableOid: uint32,
        attribute: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
        type: fc.record({ oid: uint32, format }),
      }),
      { maxLength: 6 },
    ),
    write: (m) =>
      back.columns(...m.map(({ type, ...column }) => ({ ...column, oid: type.oid, format: codeOf(type.format) }))),
    read: decodeRowDescription as never,
  }),
  kind({ name: "CommandComplete", said: text, write: back.complete, read: decodeCommandComplete }),
  kind({
    name: "ReadyForQuery",
    said: fc.constantFrom(...Object.values(STATUS)),
    write: (m) => message("Z", Buffer.from([m])),
    read: decodeReadyForQuery,
    encode: readyForQuery,
  }),
  kind({
    name: "ParameterStatus",
    said: fc.record({ name: text, value: text }),
    write: (m) => back.parameter(m.name, m.value),
    read: decodeParameterStatus,
    encode: (m) => parameterStatus(m.name, m.value),
  }),
  kind({
    name: "CopyOutResponse",
    said: fc.record({ format, columns: fc.nat(20) }),
    write: (m) => back.copyOut(m.columns, codeOf(m.format)),
    read: decodeCopyResponse,
  }),
  ...[
    { name: "ErrorResponse", write: back.error, encode: errorResponse },
    { name: "NoticeResponse", write: back.notice, encode: noticeResponse },
  ].map(({ name, write, encode }) =>
    kind({
      name,
      said: fields,
      write: (m) => write(new Map(m)),
      read: (frame) => [...decodeFields(frame)],
      encode: (m) => encode(new Map(m)),
    }),
  ),
  kind({
    name: "NotificationResponse",
    said: fc.record({ pid: int32, channel: text, payload: text }),
    write: (m) => back.notification(m.channel, m.payload, m.pid),
    read: decodeNotification,
    encode: (m) => notificationResponse(m.pid, m.channel, m.payload),
  }),
  kind({
    name: "NegotiateProtocolVersion",
    said: fc.record({ version: int32, unknown: fc.array(text, { maxLength: 3 }) }),
    write: (m) => back.negotiate(m.version, ...m.unknown),
    read: decodeNegotiateProtocolVersion as never,
  }),
  kind({
    name: "Authentication",
    said: fc.record({ method: int32, data: bytes }),
    write: (m) => back.authentication(m.method, m.data),
    read: decodeAuthentication as never,
  }),
];

/** A message of one of the kinds, with its kind. */
// biome-ignore lint/suspicious/noExplicitAny: each kind's own message goes round inside it
const messageOf = (kinds: readonly Kind<any>[]) =>
  fc.oneof(...kinds.map((of) => of.said.map((said) => ({ of, said }))));
const same = (one: unknown, other: unknown) => expect(one).toEqual(other);

for (const [side, kinds] of [
  ["client", FROM_CLIENT],
  ["server", FROM_SERVER],
] as const) {
  target(
    `codec-${side}`,
    `what a ${side} says is read as it was meant, and written as the manual says`,
    400,
    fc.property(messageOf(kinds), ({ of, said }) => {
      const frame = of.write(said);
      same(of.read(frame), said);
      if (of.encode) same(of.encode(said), frame);
    }),
  );

  target(
    `codec-${side}-damaged`,
    `of what is no message of a ${side} it is said that it is none; what is one means one thing`,
    800,
    fc.property(
      fc.oneof(...kinds.map((of) => damaged(of.said.map((said) => of.write(said))).map((frame) => ({ of, frame })))),
      ({ of, frame }) => {
        const read = () => of.read(Buffer.concat([frame, Buffer.alloc(Math.max(0, 5 - frame.length))]));
        let said: unknown;
        try {
          said = read();
        } catch (error) {
          return expect(error).toBeInstanceOf(MalformedBytes);
        }
        // A text that is not UTF-8 is none, and has no writing.
        if (JSON.stringify(said).includes('"text":null')) return;
        same(of.read(of.write(said)), said);
      },
    ),
  );
}

const LIMIT = 200;
target(
  "codec-frames",
  "whatever lengths are claimed, no more than a frame of the allowed size is held",
  200,
  fc.property(
    fc.array(
      fc.tuple(damaged(messageOf([...FROM_CLIENT, ...FROM_SERVER]).map(({ of, said }) => of.write(said))), cuts),
    ),
    fc.infiniteStream(fc.constantFrom("pass", "drop", "whole", "take")),
    (stream, ways) => {
      const frames = new FrameAssembler(MESSAGE_FORMAT, LIMIT);
      try {
        for (const [bytes, points] of stream) {
          for (const part of parts(bytes, points)) {
            frames.push(part);
            while (frames.next() >= 0) {
              const way = ways.next().value;
              if (way === "pass") frames.pass();
              else if (way === "drop") frames.drop();
              else if (way === "take" ? !frames.take() : !frames.whole()) break;
              else if (way === "whole") frames.pass();
            }
            frames.passed();
            if (frames.buffered > LIMIT) throw new Error(`${frames.buffered} bytes are held`);
          }
        }
      } catch (error) {
        if (!(error instanceof TooLarge)) expect(error).toBeInstanceOf(MalformedBytes);
      }
    },
  ),
);
