// `npm run bench [-- --seconds 5 --rounds 3 --only select,write,rows,connect,latency]`: what the enforcer costs, as ratios
// against a relay that only copies bytes. Everything runs in turns on this machine, on loopback; medians are printed.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

const root = dirname(import.meta.dirname);
const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "select,latency,write,rows,masked,connect" },
    json: { type: "string" },
  },
});
const seconds = Number(options.seconds);
const rounds = Number(options.rounds);
const only = new Set(options.only.split(","));
const folder = mkdtempSync(join(tmpdir(), "counterfoil-bench-"));
const children = [];
// Ten text columns, so that one or all of them can be labelled; ~100 bytes a row.
const ROWS_SQL = `create table wide as select n as id, ${Array.from({ length: 10 }, (_, i) => `'value ' || n % ${1000 + i} as c${i}`).join(", ")}
  from generate_series(1, 1000000) n; analyze wide`;

try {
  const ways = await prepare();
  const report = {};
  for (const [name, measure] of Object.entries(measures(ways))) {
    if (!only.has(name)) continue;
    report[name] = await inTurns(ways, measure);
    print(name, measure, report[name]);
  }
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ node: process.version, seconds, rounds, report }, null, 2)}\n`);
} finally {
  for (const child of children.reverse()) {
    child.kill("SIGTERM");
    await new Promise((resolve) =>
      child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("close", resolve),
    );
  }
  rmSync(folder, { recursive: true, force: true });
}

// ---- the ways to the server --------------------------------------------------------------------------------------

async function prepare() {
  const [api, issuer, enforced, relayed] = await freePorts(4);
  const env = {
    ...process.env,
    COUNTERFOIL_STATE: join(folder, ".counterfoil"),
    COUNTERFOIL_API_PORT: String(api),
    COUNTERFOIL_ISSUER_PORT: String(issuer),
    COUNTERFOIL_POSTGRES_PORT: String(enforced),
    COUNTERFOIL_ALLOW_PLAINTEXT: "1",
  };
  await ready(spawn(process.execPath, [join(root, "scripts/start.mjs")], { cwd: root, env }));
  const cli = (...args) =>
    execFileSync(process.execPath, [join(root, "apps/cli/bin/counterfoil.mjs"), ...args], {
      cwd: folder,
      env,
      encoding: "utf8",
    });
  const shop = JSON.parse(cli("resources", "get", "shop", "--json"));
  const password = readFileSync(shop.credential.password.replace(/^file:/, ""), "utf8");
  const direct = {
    host: "127.0.0.1",
    port: shop.upstream.port,
    user: shop.credential.username,
    password,
    database: "shop",
  };
  await ready(spawn(process.execPath, [join(root, "bench/relay.mjs"), String(relayed), String(direct.port)]));
  run(direct, "pgbench", ["-i", "-q", "-s", "10"]);
  run(direct, "psql", ["-Xqc", ROWS_SQL]);
  const token = () => {
    const { connection } = JSON.parse(
      cli("token", "--as", "ci", "--resource", "shop", "--mode", "run", "--lifetime", "3600", "--json"),
    );
    return {
      host: "127.0.0.1",
      port: enforced,
      user: connection.user,
      password: connection.password,
      database: "shop",
    };
  };
  const ways = { direct, relay: { ...direct, port: relayed }, enforcer: token() };
  const bouncer = pgbouncer(direct);
  if (bouncer) ways.pgbouncer = await bouncer;
  return ways;
}

function pgbouncer(direct) {
  const program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find(existsSync);
  if (!program) return null;
  return (async () => {
    const [port] = await freePorts(1);
    writeFileSync(join(folder, "users.txt"), `"${direct.user}" "${direct.password}"\n`, { mode: 0o644 });
    writeFileSync(
      join(folder, "pgbouncer.ini"),
      `[databases]\nshop = host=127.0.0.1 port=${direct.port} dbname=shop\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\n` +
        `auth_type = scram-sha-256\nauth_file = ${join(folder, "users.txt")}\npool_mode = session\nmax_client_conn = 500\ndefault_pool_size = 200\n` +
        `unix_socket_dir =\nignore_startup_parameters = extra_float_digits\n`,
    );
    execFileSync("chmod", ["755", folder]);
    const args =
      process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program] : [program];
    const child = spawn(args[0], [...args.slice(1), join(folder, "pgbouncer.ini")], { stdio: "ignore" });
    children.push(child);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return { ...direct, port };
  })();
}

// ---- what is measured --------------------------------------------------------------------------------------------

function measures() {
  const pgbench =
    (...args) =>
    (way) =>
      tps(run(way, "pgbench", ["-n", "-T", String(seconds), ...args]));
  const rows = (sql) => (way) => {
    const started = process.hrtime.bigint();
    run(way, "psql", ["-XqAt", "-o", "/dev/null", "-c", sql]);
    return 1e6 / (Number(process.hrtime.bigint() - started) / 1e9);
  };
  return {
    select: Object.assign(pgbench("-S", "-M", "prepared", "-c", "8", "-j", "2"), {
      unit: "tps, select-only, prepared, 8 clients",
    }),
    latency: Object.assign(
      (way) => latency(run(way, "pgbench", ["-n", "-T", String(seconds), "-S", "-M", "prepared", "-c", "1"])),
      {
        unit: "ms a transaction, select-only, prepared, 1 client",
      },
    ),
    write: Object.assign(pgbench("-M", "prepared", "-c", "8", "-j", "2"), {
      unit: "tps, TPC-B-like, prepared, 8 clients",
    }),
    rows: Object.assign(rows("select * from wide"), { unit: "rows/s, one million rows of eleven columns" }),
    connect: Object.assign(pgbench("-C", "-S", "-c", "4", "-j", "2"), { unit: "connections/s, each with one query" }),
  };
}

async function inTurns(ways, measure) {
  const samples = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [way, target] of Object.entries(ways)) samples[way].push(measure(target));
  }
  return Object.fromEntries(Object.entries(samples).map(([way, values]) => [way, median(values)]));
}

function print(name, measure, result) {
  console.log(`\n${name}: ${measure.unit}`);
  for (const [way, value] of Object.entries(result)) {
    const ratio = (value / result.relay).toFixed(2);
    console.log(`  ${way.padEnd(10)} ${value.toFixed(value < 10 ? 4 : 0).padStart(10)}   ${ratio} of the relay`);
  }
}

// ---- plumbing ----------------------------------------------------------------------------------------------------

function run(way, program, args) {
  const bin = readdirSync("/usr/lib/postgresql", { withFileTypes: true }).map(
    ({ name }) => `/usr/lib/postgresql/${name}/bin`,
  );
  const result = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 1 << 30,
    env: {
      PATH: [...bin, process.env.PATH].join(":"),
      PGHOST: way.host,
      PGPORT: String(way.port),
      PGUSER: way.user,
      PGPASSWORD: way.password,
      PGDATABASE: way.database,
      PGSSLMODE: "disable",
    },
  });
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")} on port ${way.port}: ${result.stderr}`);
  return result.stdout;
}

function tps(output) {
  return Number(/^tps = ([\d.]+)/m.exec(output)?.[1]);
}

function latency(output) {
  return Number(/^latency average = ([\d.]+) ms/m.exec(output)?.[1]);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function ready(child) {
  children.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (chunk) => {
      said += chunk;
      if (/^ready$/m.test(said)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("close", () => reject(new Error(`ended before it was ready: ${said}`)));
  });
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const s = createServer().listen(0, "127.0.0.1", () => resolve(s));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
