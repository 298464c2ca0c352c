// psql and pgbench, run against one way to the server.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const POSTGRES = "/usr/lib/postgresql";
const PATH = [
  ...readdirSync(POSTGRES).map((version) => join(POSTGRES, version, "bin")),
  ...(process.env.PATH ?? "").split(":"),
].join(":");

/** What the program wrote. @throws with its errors where it fails */
export async function run(way, program, args) {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH,
      PGHOST: way.host,
      PGPORT: String(way.port),
      PGUSER: way.user,
      PGPASSWORD: way.password,
      PGDATABASE: way.database,
      PGSSLMODE: way.tls ? "require" : "disable",
    },
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const [output, errors] = await Promise.all([child.stdout.toArray(), child.stderr.toArray()]);
  if ((await ended) !== 0) throw new Error(`${program} ${args.join(" ")} on port ${way.port}: ${errors.join("")}`);
  return output.join("");
}

/** @returns transactions a second, and how many there were. */
export async function pgbench(way, seconds, args) {
  const output = await run(way, "pgbench", ["-n", "-T", String(seconds), ...args]);
  const number = (pattern) => Number(pattern.exec(output)?.[1]);
  return {
    rate: number(/^tps = ([\d.]+)/m),
    count: number(/^number of transactions actually processed: (\d+)/m),
  };
}

/** @returns the median of the transactions' own times, ms, and how many there were. */
export async function pgbenchMedian(way, seconds, args) {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-bench-log-"));
  try {
    await run(way, "pgbench", ["-n", "-T", String(seconds), ...args, "-l", `--log-prefix=${join(folder, "log")}`]);
    // A line a transaction: client, number, microseconds, …
    const times = readdirSync(folder)
      .flatMap((name) => readFileSync(join(folder, name), "latin1").trim().split("\n"))
      .map((line) => Number(line.split(" ")[2]) / 1000);
    return { value: median(times), count: times.length };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
