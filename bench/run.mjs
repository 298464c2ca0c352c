// `npm run bench [-- --seconds 5 --rounds 3 --only select,latency --json FILE]`: what the enforcer costs, as ratios to a
// relay that only copies bytes. All ways take turns in one run, on this machine and on loopback; medians are told.
// With --apart what is in between has a core to itself, as on a host of its own, and database and clients have the others.
// docs/performance.md says what was found. Needs psql, pgbench, nats-server; pgbouncer where it is installed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../scripts/install.mjs";

build(console.log);
const { median } = await import("./clients.mjs");
const { startControlPlane } = await import("./control-plane.mjs");
const { bundleContent, startDatabase } = await import("./database.mjs");
const { endurance } = await import("./endurance.mjs");
const { cpuSeconds, stopAll, useCores } = await import("./processes.mjs");
const { printFindings, printScenario } = await import("./report.mjs");
const { scenarios } = await import("./scenarios.mjs");
const { startWays } = await import("./ways.mjs");

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: [...Object.keys(scenarios), ...Object.keys(endurance)].join(",") },
    workers: { type: "string", default: "1" },
    sessions: { type: "string", default: "1000" },
    cycles: { type: "string", default: "2000" },
    json: { type: "string" },
    profile: { type: "string" },
    apart: { type: "boolean", default: false },
  },
});
const { only, json, profile, apart, ...numbers } = values;
const options = Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)]));
const chosen = new Set(only.split(","));
const folder = mkdtempSync(join(tmpdir(), "counterfoil-bench-"));
let database;
let control;

try {
  const cores = availableParallelism();
  if (apart) useCores(process.pid, 1, cores - 1);
  database = await startDatabase(folder);
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, database.direct.password, { mode: 0o600 });
  control = await startControlPlane(folder, bundleContent(database.direct, passwordFile));
  const report = { node: process.version, cores, apart, ...options, scenarios: {}, findings: {} };
  const ways = await startWays(database.direct, control, { workers: options.workers, profile });
  if (apart) for (const { pid } of Object.values(ways)) if (pid) useCores(pid, 0, 0);
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (!chosen.has(name)) continue;
    report.scenarios[name] = await inTurns(ways, scenario);
    printScenario(scenario, report.scenarios[name]);
  }
  for (const [name, measure] of Object.entries(endurance)) {
    if (!chosen.has(name)) continue;
    const findings = await measure(control, options);
    Object.assign(report.findings, findings);
    printFindings(findings);
  }
  if (json) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await stopAll();
  await control?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
}

/**
 * By way: the median value, and the median of the CPU its process used, microseconds a unit of work. A turn before the
 * first does not count: what runs for weeks has been compiled.
 */
async function inTurns(ways, { measure }) {
  const samples = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (const way of Object.values(ways)) await measure(way, options);
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, way] of Object.entries(ways)) samples[name].push(await measured(way, measure));
  }
  return Object.fromEntries(
    Object.entries(samples).map(([name, each]) => [
      name,
      { value: median(each.map(({ value }) => value)), cpuUs: median(each.map(({ cpuUs }) => cpuUs)) },
    ]),
  );
}

async function measured(way, measure) {
  const before = way.pid ? cpuSeconds(way.pid) : null;
  const { value, count } = await measure(way, options);
  const cpuUs = before === null ? null : ((cpuSeconds(way.pid) - before) / count) * 1e6;
  return { value, cpuUs };
}
