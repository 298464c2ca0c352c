import fc from "fast-check";
import { MalformedBytes } from "#bytes";
import {
  decodeBind,
  decodeCopyResponse,
  decodeExecute,
  decodeFields,
  decodeFunctionCall,
  decodeParse,
  decodeQuery,
  decodeRowDescription,
  decodeTarget,
  MESSAGE_FORMAT,
  nameKey,
} from "./decoder.js";
import { back, front, message } from "./wire.fixture.js";

describe("messages, as the manual lists them", () => {
  test("Query", () => {
    expect(decodeQuery(front.query("SELECT 'é'"))).toEqual({ text: "SELECT 'é'" });
    expect(decodeQuery(front.query(Buffer.from([0x53, 0xff])))).toEqual({ text: null });
  });

  test("Parse", () => {
    expect(decodeParse(front.parse("s1", "SELECT $1"))).toEqual({ name: "s1", text: "SELECT $1" });
  });

  test("Bind: values, nulls, formats", () => {
    const bind = decodeBind(front.bind("p", "s", ["a", null, ""], [0, 1]));
    expect(bind).toMatchObject({ portal: "p", statement: "s", resultFormats: ["text", "binary"] });
    expect(bind.values.map(({ bytes }) => bytes && Buffer.from(bytes).toString())).toEqual(["a", null, ""]);
  });

  test.each([
    [
      "two formats for three values",
      Buffer.from([0, 2, 0, 0, 0, 1, 0, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0]),
    ],
    ["a format there is not", Buffer.from([0, 1, 0, 2, 0, 0, 0, 0])],
    ["a length of -2", Buffer.from([0, 0, 0, 1, 255, 255, 255, 254, 0, 0])],
    ["a value longer than the message", Buffer.from([0, 0, 0, 1, 0, 0, 1, 0, 0, 0])],
    ["bytes too many", Buffer.from([0, 0, 0, 0, 0, 0, 9])],
  ])("Bind with %s is malformed", (_what, rest) => {
    expect(() => decodeBind(message("B", Buffer.from([0, 0]), rest))).toThrow(MalformedBytes);
  });

  test("Describe, Close, Execute, FunctionCall", () => {
    expect(decodeTarget(front.describe("S", "a"))).toEqual({ kind: "statement", name: "a" });
    expect(decodeTarget(front.close("P", ""))).toEqual({ kind: "portal", name: "" });
    expect(() => decodeTarget(message("D", Buffer.from("Xa\0")))).toThrow(MalformedBytes);
    expect(decodeExecute(front.execute("p", 7))).toEqual({ portal: "p", maxRows: 7 });
    expect(decodeFunctionCall(front.call(1598, ["x"]))).toMatchObject({ oid: 1598, resultFormat: "text" });
  });

  test("RowDescription", () => {
    const frame = back.columns(
      { name: "email", tableOid: 4_000_000_000, attribute: 2, oid: 25, format: 1 },
      { name: "?column?" },
    );
    expect(decodeRowDescription(frame)).toEqual([
      { name: "email", tableOid: 4_000_000_000, attribute: 2, type: { oid: 25, format: "binary" } },
      { name: "?column?", tableOid: 0, attribute: 0, type: { oid: 25, format: "text" } },
    ]);
  });

  test("ErrorResponse, CopyOutResponse", () => {
    expect([...decodeFields(back.error({ S: "ERROR", C: "42601", M: "no" }))]).toEqual([
      ["S", "ERROR"],
      ["C", "42601"],
      ["M", "no"],
    ]);
    expect(decodeCopyResponse(back.copyOut(3, 1))).toEqual({ format: "binary", columns: 3 });
  });

  test("a string without its end is malformed", () => {
    expect(() => decodeQuery(message("Q", Buffer.from("SELECT 1")))).toThrow(MalformedBytes);
  });
});

describe("lengths", () => {
  test.each([[3], [0], [-1], [-2147483648], [0x7fffffff]])("%d is none", (length) => {
    const head = Buffer.from([0x51, 0, 0, 0, 0]);
    head.writeInt32BE(length, 1);
    expect(() => MESSAGE_FORMAT.size(head, 0)).toThrow(MalformedBytes);
  });

  test("counts itself, not the type", () => {
    expect(MESSAGE_FORMAT.size(Buffer.from([0x51, 0, 0, 0, 4]), 0)).toBe(5);
  });
});

describe("nameKey", () => {
  test("is one for names the server takes for one: it compares 63 bytes", () => {
    expect(nameKey("x".repeat(63))).toBe(nameKey(`${"x".repeat(63)}another`));
    expect(nameKey("x".repeat(62))).not.toBe(nameKey("x".repeat(63)));
  });

  test("is another for names that differ only in bytes that are no UTF-8", () => {
    expect(nameKey(Buffer.from([0xff]))).not.toBe(nameKey(Buffer.from([0xfe])));
  });

  test("differs exactly where the first 63 bytes do", () => {
    const names = fc.uint8Array({ min: 1, maxLength: 80 });
    fc.assert(
      fc.property(names, names, (left, right) => {
        const same = Buffer.from(left.subarray(0, 63)).equals(Buffer.from(right.subarray(0, 63)));
        expect(nameKey(left) === nameKey(right)).toBe(same);
      }),
    );
  });
});
