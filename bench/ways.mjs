// The ways to the server that are compared.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RESOURCE } from "./database.mjs";
import { freePorts, start } from "./processes.mjs";

const here = import.meta.dirname;
const ENFORCER = join(here, "../dist/apps/enforcer/src/main.js");

/** A way: where to connect and as whom, and the process in between, where one is measured. */
export async function startWays(direct, control, { workers, profile }) {
  const ways = { direct, relay: await relay(direct), enforcer: await enforcer(control, "node", { workers }, profile) };
  const bouncer = await pgbouncer(direct);
  if (bouncer) ways.pgbouncer = bouncer;
  return ways;
}

async function relay(direct) {
  const [port] = await freePorts(1);
  const { pid } = await start(process.execPath, [join(here, "relay.mjs"), String(port), String(direct.port)]);
  return { ...direct, port, pid };
}

/** A node of its own with an empty folder. `ms` is what it took from its start until it was ready. */
export async function enforcer(control, name, settings = {}, profile = null) {
  const [port] = await freePorts(1);
  const listeners = [{ protocol: "postgres", host: "127.0.0.1", bind: "127.0.0.1", port }];
  const config = await control.node(name, { ...settings, listeners });
  const { child, ms } = await startEnforcer(config, profile);
  return { host: "127.0.0.1", port, database: "bench", ...control.token(RESOURCE), pid: child.pid, child, config, ms };
}

export async function startEnforcer(config, profile = null) {
  const began = process.hrtime.bigint();
  const flags = profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}`] : [];
  const child = await start(process.execPath, [...flags, ENFORCER], {
    env: { MALLOC_ARENA_MAX: "1", ...process.env, COUNTERFOIL_ENFORCER_CONFIG: config },
  });
  return { child, ms: Number(process.hrtime.bigint() - began) / 1e6 };
}

async function pgbouncer(direct) {
  const program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find(existsSync);
  if (!program) return null;
  const [port] = await freePorts(1);
  // It refuses to be root, and nobody else may look into our folder.
  const nobody = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
  const own = mkdtempSync(join(tmpdir(), "counterfoil-bench-pgbouncer-"));
  chmodSync(own, 0o755);
  const file = (name) => join(own, name);
  writeFileSync(file("users.txt"), `"${direct.user}" "${direct.password}"\n`);
  writeFileSync(
    file("pgbouncer.ini"),
    `[databases]
${direct.database} = host=${direct.host} port=${direct.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = scram-sha-256
auth_file = ${file("users.txt")}
pool_mode = session
max_client_conn = 500
default_pool_size = 200
unix_socket_dir =
ignore_startup_parameters = extra_float_digits
`,
  );
  const child = await start("/bin/sh", ["-c", `echo ready; exec ${program} -q ${file("pgbouncer.ini")}`], nobody);
  await listening(child.pid, port);
  rmSync(own, { recursive: true });
  return { ...direct, port, pid: child.pid };
}

async function listening(pid, port) {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  for (let tries = 0; tries < 200; tries++) {
    if (readFileSync(`/proc/${pid}/net/tcp`, "latin1").includes(`:${hex} 00000000:0000 0A`)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nobody listens on port ${port}`);
}
