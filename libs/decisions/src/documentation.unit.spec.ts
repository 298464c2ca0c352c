import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { SQL_ACTIONS } from "#commands";
import { checkTransform } from "#masking";
import { CEDAR_SCHEMA } from "./schema.js";
import { validatePolicies } from "./validate.js";

const page = readFileSync(new URL("../../../docs/policies.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```(\S+)( refused)?\n([\s\S]*?)^```$/gm)].map(([, language, refused, text]) => ({
  language,
  refused: refused !== undefined,
  text: text!,
}));
const cedar = blocks.filter(({ language }) => language === "cedar");
const valid = cedar.filter(({ refused }) => !refused).map(({ text }) => [text]);
const refused = cedar.filter((block) => block.refused).map(({ text }) => [text]);

test("docs/policies.md has examples of both kinds", () => {
  expect(valid.length).toBeGreaterThanOrEqual(5);
  expect(refused.length).toBeGreaterThanOrEqual(5);
});

test.each(valid)("example %# is valid", (text) => expect(validatePolicies(text)).toEqual([]));

test.each(refused)("refused example %# is refused for what its first line says", (text) => {
  const reason = /^\/\/ (.*)$/m.exec(text)![1]!;
  expect(validatePolicies(text)[0]?.message).toContain(reason);
});

test("the labels' transforms are valid", () => {
  const labels = blocks.filter(({ language }) => language === "yaml").flatMap(({ text }) => parse(text).labels);
  expect(labels.length).toBeGreaterThan(0);
  for (const { transform } of labels) expect(checkTransform({ options: {}, ...transform })).toBeNull();
});

test("the table of actions is the vocabulary", () => {
  const rows = [...page.matchAll(/^\| `(sql:\w+)` +\| ((?:`sql:\w+` *)+)\|$/gm)];
  const told = Object.fromEntries(
    rows.map(([, group, leaves]) => [group, leaves!.trim().replaceAll("`", "").split(/ +/)]),
  );
  expect(told).toEqual(SQL_ACTIONS);
});

test("the page tells everything the context has", () => {
  const types = [...CEDAR_SCHEMA.matchAll(/^type \w+ = \{([\s\S]*?)^\};/gm)].map(([, body]) => body!);
  const names = types.flatMap((body) => [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name!));
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(page).toContain(`context.${name}`);
});
