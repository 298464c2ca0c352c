import { execFileSync } from "node:child_process";
import { Numbered } from "./numbered.js";
import { libpq, PATH, run } from "./programs.js";
import { PSQL_CASES, type PsqlCase } from "./psql.cases.js";
import { said } from "./said.js";
import { sameEachWay } from "./same.js";
import { normalised, openWays, type Way, type Ways } from "./ways.js";

const version = Number(
  /\d+/.exec(execFileSync("psql", ["--version"], { encoding: "utf8", env: { ...process.env, PATH } }))![0],
);

let ways: Ways;
beforeAll(async () => {
  ways = await openWays();
});
afterAll(async () => {
  await ways?.close();
});

async function psql(way: Way, { script, args = [] }: PsqlCase) {
  way.tap.taken();
  const ran = await run("psql", ["-X", ...args], { env: libpq(way.tapped, null), input: script });
  const printed = (text: string) =>
    new Numbered()
      .in(normalised(text, way))
      .replace(/(with |Backend )PID.*/g, "")
      .split("\n");
  return {
    code: ran.code,
    out: printed(ran.out),
    err: printed(ran.err).filter((line) => !/^LOCATION: {2}scanner_yyerror/.test(line)),
    server: way.tap.taken().map((stream) => said(stream, (text) => normalised(text, way))),
  };
}

describe.each(PSQL_CASES.map((each) => [each.name, each] as const))("%s", (_name, each) => {
  const able = each.since === undefined || version >= each.since;
  (able ? test : test.skip)(able ? "is the same each way" : `needs psql ${each.since}`, async () => {
    const on = ways.all.filter(({ name }) => !(each.notLabelled && name === "labelled"));
    const { out, err } = await sameEachWay(on, (way) => psql(way, each));
    expect([...out, ...err].join("")).not.toBe("");
  });
});
