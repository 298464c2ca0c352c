/**
 * One server of a kind for all specs of a run, started when the first spec asks: a run of unit specs pays nothing. Specs
 * ask over HTTP, since they run in other processes.
 */
import { chmodSync, mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "../typescript.mjs";

const starters = {
  async postgres() {
    const { removePostgres, startPostgres } = await import("../../libs/embedded/src/postgres.ts");
    const folder = mkdtempSync(join(tmpdir(), "counterfoil-test-postgres-"));
    // Started by root, the server runs as another user, who must get here.
    chmodSync(folder, 0o711);
    const server = await startPostgres({ folder, durable: false });
    const stop = async () => {
      await server.stop();
      removePostgres(folder);
    };
    return { answer: { url: server.url("postgres") }, stop };
  },
};

export async function offerServers() {
  const started = new Map();
  const front = createServer(async (request, response) => {
    const kind = request.url.slice(1);
    try {
      if (!started.has(kind)) started.set(kind, starters[kind]());
      response.end(JSON.stringify((await started.get(kind)).answer));
    } catch (error) {
      response.writeHead(500).end(String(error?.message ?? error));
    }
  });
  await new Promise((listening) => front.listen(0, "127.0.0.1", listening));
  front.unref();
  return {
    url: `http://127.0.0.1:${front.address().port}`,
    async close() {
      front.close();
      front.closeAllConnections();
      for (const server of await Promise.allSettled(started.values())) await server.value?.stop();
    },
  };
}
