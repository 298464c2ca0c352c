import fc from "fast-check";
import { fromByteOffset, nesting, position, splitPolicies } from "./source-text.js";

test("a document is cut at semicolons outside of strings and comments", () => {
  const text = 'a "x;\\";" b; // no; cut\n c // ;\n ;\n\n d';
  expect(splitPolicies(text)).toEqual([
    { text: 'a "x;\\";" b;', offset: 0 },
    { text: "c // ;\n ;", offset: 25 },
    { text: "d", offset: 37 },
  ]);
});

test("pieces stand where they say, in order, and leave out only blanks and comments", () => {
  const token = fc.constantFrom("a", ";", '"', "\\", "/", "//", "\n", " ", "é", "(", ")");
  fc.assert(
    fc.property(fc.array(token), (tokens) => {
      const text = tokens.join("");
      let end = 0;
      for (const piece of splitPolicies(text)) {
        expect(text.startsWith(piece.text, piece.offset)).toBe(true);
        expect(
          text
            .slice(end, piece.offset)
            .replace(/\/\/[^\n]*(\n|$)/g, "")
            .trim(),
        ).toBe("");
        end = piece.offset + piece.text.length;
      }
      expect(
        text
          .slice(end)
          .replace(/\/\/[^\n]*(\n|$)/g, "")
          .trim(),
      ).toBe("");
    }),
  );
});

test("nesting counts brackets that are code", () => {
  expect(nesting('([{}]) "(((((((" // ((((((((((\n ()')).toBe(3);
});

test("positions count lines and characters from 1, byte offsets are Cedar's", () => {
  const text = "é😀x\nab";
  expect(position(text, 3)).toEqual({ line: 1, column: 3 });
  expect(position(text, 5)).toEqual({ line: 2, column: 1 });
  expect(fromByteOffset(text, 6)).toBe(3);
});
