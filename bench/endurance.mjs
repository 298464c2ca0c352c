// What is asked of the enforcer alone: how soon it is ready, and what it holds idle, with sessions, and after many.
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { descriptors, residentKib, stop } from "./processes.mjs";
import { enforcer, startEnforcer } from "./ways.mjs";

const SETTLE_MS = 3_000;
const AT_ONCE = 8;

export const endurance = {
  /** Fresh: it has to get a certificate and a bundle first. Again: both are in its folder. One process. */
  async start(control) {
    const fresh = await enforcer(control, "start", { workers: 1 });
    await sleep(SETTLE_MS);
    const idle = residentKib(fresh.pid) / 1024;
    await stop(fresh.child);
    const again = await startEnforcer(fresh.config);
    await stop(again.child);
    return { "ready, fresh (ms)": fresh.ms, "ready, again (ms)": again.ms, "idle, one process (MiB)": idle };
  },

  /** What a session costs, of memory the process did not have after others like it. */
  async idle(control, { sessions }) {
    const result = {};
    for (const tls of [false, true]) {
      const node = await enforcer(control, tls ? "idle-tls" : "idle", { workers: 1 });
      await cycles(node, tls, 1);
      await sleep(SETTLE_MS);
      const before = residentKib(node.pid);
      const open = await connections(node, tls, sessions);
      await sleep(SETTLE_MS);
      const perSession = (residentKib(node.pid) - before) / sessions;
      result[`${sessions} idle sessions${tls ? ", TLS" : ""} (KiB each)`] = perSession;
      await Promise.all(open.map((client) => client.end()));
      await stop(node.child);
    }
    return result;
  },

  /** Connects and closes; memory and descriptors are told at every tenth. */
  async churn(control, { cycles: total }) {
    const node = await enforcer(control, "churn", { workers: 1 });
    const samples = [];
    for (let tenth = 0; tenth <= 10; tenth++) {
      if (tenth > 0) await cycles(node, true, Math.ceil(total / 10));
      await sleep(SETTLE_MS);
      samples.push({ mib: residentKib(node.pid) / 1024, descriptors: descriptors(node.pid) });
    }
    await stop(node.child);
    return {
      [`${total} connections: MiB`]: samples.map(({ mib }) => mib.toFixed(0)).join(" "),
      [`${total} connections: descriptors`]: samples.map((sample) => sample.descriptors).join(" "),
    };
  },
};

async function connections(way, tls, count) {
  const open = [];
  await shared(count, async () => {
    const client = connection(way, tls);
    await client.connect();
    await client.query("select 1");
    open.push(client);
  });
  return open;
}

async function cycles(way, tls, count) {
  await shared(count, async () => {
    const client = connection(way, tls);
    await client.connect();
    await client.query("select 1");
    await client.end();
  });
}

function connection({ host, port, user, password, database }, tls) {
  const client = new pg.Client({ host, port, user, password, database, ssl: tls && { rejectUnauthorized: false } });
  client.on("error", () => {});
  return client;
}

/** `count` times, several at once. */
async function shared(count, act) {
  let left = count;
  const one = async () => {
    while (left-- > 0) await act();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
