import type { Parameter } from "#commands";
import { isShownWhole } from "./command-facts.js";

const KIB = 1024;
const text = (length: number): Parameter => ({ kind: "text", value: "x".repeat(length) });
const bytes = (length: number): Parameter => ({ kind: "binary", value: new Uint8Array(length) });
const shown = (statement: string, ...parameters: Parameter[]) => isShownWhole({ text: statement, parameters });

test.each([
  ["a short statement", true, shown("select 1", { kind: "null" }, text(3), bytes(3))],
  ["a statement of 192 KiB", true, shown("x".repeat(192 * KIB))],
  ["one of a byte more", false, shown("x".repeat(192 * KIB + 1))],
  ["one that is longer in UTF-8", false, shown("é".repeat(100 * KIB))],
  ["parameters that fit one by one and together", true, shown("", text(90 * KIB), bytes(90 * KIB))],
  ["parameters that fit one by one only", false, shown("", text(100 * KIB), text(100 * KIB))],
  ["bytes that do not fit", false, shown("", bytes(192 * KIB + 1))],
  ["too many parameters", false, shown("", ...Array.from({ length: 4_097 }, () => text(1)))],
])("%s: shown whole is %s", (_, expected, is) => expect(is).toBe(expected));
