import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, type BusOptions, connectBus } from "#bus";
import { type PrivateNats, startNats } from "#embedded";

export interface FreshNats extends PrivateNats {
  /** Connects as a service, or as whom `credentials` (a text) says. */
  connect(name: string, options?: Partial<BusOptions>): Promise<Bus>;
  /** Stops it and starts it again on the same port. */
  restart(): Promise<void>;
  drop(): Promise<void>;
}

/** A nats-server of its own, empty; for `beforeAll`, its `drop` for `afterAll`. Connections it made are closed with it. */
export async function freshNats(): Promise<FreshNats> {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-test-nats-"));
  let server = await startNats({ folder });
  const { url, port } = server;
  const made: Bus[] = [];
  return {
    ...server,
    async connect(name, options = {}) {
      const credentials = readFileSync(server.credentials.control, "utf8");
      const bus = await connectBus({ url, name, credentials, ...options });
      made.push(bus);
      return bus;
    },
    async restart() {
      await server.stop();
      server = await startNats({ folder, port });
    },
    async drop() {
      await Promise.all(made.map((bus) => bus.close()));
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
