import fc from "fast-check";
import { crc32 } from "./crc32.js";
import {
  isTokenId,
  MalformedToken,
  makeToken,
  parseToken,
  TOKEN_ID_BYTES,
  TOKEN_PATTERN,
  TOKEN_SECRET_BYTES,
  tokenIdOf,
} from "./token-text.js";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const tokens = fc.tuple(bytes(TOKEN_ID_BYTES), bytes(TOKEN_SECRET_BYTES)).map(([id, secret]) => makeToken(id, secret));
const faultOf = (text: string) => {
  try {
    parseToken(text);
    return null;
  } catch (error) {
    return error instanceof MalformedToken ? error : Promise.reject(error);
  }
};

describe("a token's text", () => {
  it("is the same today as ever", () => {
    const token = makeToken(new Uint8Array(TOKEN_ID_BYTES).fill(1), new Uint8Array(TOKEN_SECRET_BYTES).fill(2));
    expect(token.text).toBe("foil_00P3GqYOsJpHeOIO9_01LGr3KTZQ2PkRbVZO5VNKUNHEn2MXtqs1bvs2A");
  });

  it("has room for every bit of its random bytes", () => {
    expect(TOKEN_ID_BYTES * 8).toBeGreaterThanOrEqual(80);
    expect(TOKEN_SECRET_BYTES * 8).toBeGreaterThanOrEqual(160);
    fc.assert(
      fc.property(bytes(TOKEN_ID_BYTES), bytes(TOKEN_ID_BYTES), bytes(TOKEN_SECRET_BYTES), (a, b, secret) => {
        const same = Buffer.compare(a, b) === 0;
        expect(makeToken(a, secret).id === makeToken(b, secret).id).toBe(same);
      }),
    );
  });

  it("comes back from parsing in the same parts, whose halves make the whole", () => {
    fc.assert(
      fc.property(tokens, (token) => {
        expect(token.text).toMatch(/^foil_[A-Za-z0-9]+_[A-Za-z0-9]+$/);
        expect(parseToken(token.text)).toEqual(token);
        expect(`${token.userName}_${token.password}`).toBe(token.text);
        expect(tokenIdOf(token.userName)).toBe(token.id);
        expect(isTokenId(token.id)).toBe(true);
      }),
    );
  });

  it("notices any one changed character", () => {
    fc.assert(
      fc.property(tokens, fc.nat(), fc.constantFrom(..."0123456789ABCXYZabcxyz_-"), ({ text }, at, character) => {
        const index = at % text.length;
        const changed = text.slice(0, index) + character + text.slice(index + 1);
        fc.pre(changed !== text);
        expect(() => parseToken(changed)).toThrow(MalformedToken);
      }),
    );
  });

  it("says what is wrong without repeating the text", () => {
    const { text } = makeToken(new Uint8Array(TOKEN_ID_BYTES), new Uint8Array(TOKEN_SECRET_BYTES));
    const swapped = `${text.slice(0, -1)}${text.endsWith("1") ? "2" : "1"}`;
    expect(faultOf("ghp_16C7e42F292c6912E7710c838347Ae178B4a")).toMatchObject({ fault: "prefix" });
    expect(faultOf("")).toMatchObject({ fault: "prefix" });
    expect(faultOf(text.slice(0, -1))).toMatchObject({ fault: "form" });
    expect(faultOf(`${text}\n`)).toMatchObject({ fault: "form" });
    expect(faultOf(swapped)).toMatchObject({ fault: "checksum" });
    for (const wrong of [text.slice(0, -1), swapped]) expect(String(faultOf(wrong))).not.toContain(wrong.slice(25));
  });

  it.each(["postgres", "foil_", "foil_short", "foil_0000000000000000a_", ""])(
    "takes %p for no token's user name",
    (name) => {
      expect(tokenIdOf(name)).toBeNull();
    },
  );

  it("can be found in a text", () => {
    const { text, userName, password } = makeToken(new Uint8Array(TOKEN_ID_BYTES), new Uint8Array(TOKEN_SECRET_BYTES));
    expect(`a ${text}, postgres://${userName}:${password}@host ${text}x`.match(TOKEN_PATTERN)).toEqual([
      text,
      `${userName}:${password}`,
    ]);
  });

  it("refuses too little randomness", () => {
    expect(() => makeToken(new Uint8Array(8), new Uint8Array(TOKEN_SECRET_BYTES))).toThrow(RangeError);
  });
});

// The check value of the CRC catalogue (CRC-32/ISO-HDLC).
it("computes CRC-32", () => expect(crc32("123456789")).toBe(0xcbf43926));
