import { readFileSync } from "node:fs";
import { KINDS } from "./edge-facts.js";

const rows = readFileSync("docs/events.md", "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"));

test.each(Object.values(KINDS))("docs/events.md has %s with its fields", (type, { fields }) => {
  const row =
    rows
      .find((line) => line.startsWith(`| \`${type}\``))
      ?.split("|")
      .at(-2) ?? "";
  expect(row.match(/\w+/g)).toEqual(fields.map(({ name }) => name));
});
