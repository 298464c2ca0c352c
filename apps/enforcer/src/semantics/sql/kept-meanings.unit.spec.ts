import type { Prepared } from "#protocols";
import { differ, meaningOf, stillMeans } from "./kept-meanings.js";

const means = (path: string, ...tables: [string, string][]) => meaningOf({ byPath: new Map(tables) }, path);
const prepared = (): Prepared => ({ text: "select from t" });

const FAR = means("app public", ["t", "public.t"]);
const NEAR = means("app public", ["t", "app.t"]);

test("what has been prepared means what it meant, as often as it is asked", () => {
  const statement = prepared();
  for (let times = 0; times < 3; times++) expect(stillMeans(statement, FAR)).toBe(true);
  expect(stillMeans(statement, means("app public", ["t", "public.t"]))).toBe(true);
});

test("a table nearer on the same path is none the server has noticed", () => {
  const statement = prepared();
  stillMeans(statement, FAR);
  expect(stillMeans(statement, NEAR)).toBe(false);
  expect(stillMeans(statement, FAR)).toBe(true);
});

test("by another path the server looks again; back on the first it may not have", () => {
  const statement = prepared();
  stillMeans(statement, FAR);
  expect(stillMeans(statement, means("app", ["t", "app.t"]))).toBe(true);
  expect(stillMeans(statement, NEAR)).toBe(false);
});

test("a table that was not known was made by the same transaction", () => {
  const statement = prepared();
  stillMeans(statement, means("public"));
  expect(stillMeans(statement, means("public", ["t", "public.t"]))).toBe(true);
});

test("a portal's names differ where one is of another table, whatever the path", () => {
  expect(differ(FAR, means("app", ["t", "app.t"]))).toBe(true);
  expect(differ(FAR, means("public", ["t", "public.t"]))).toBe(false);
});
