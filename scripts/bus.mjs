#!/usr/bin/env node
// The keys of a bus, kept in a folder, and the configuration of a nats-server with Counterfoil's accounts:
//   node scripts/bus.mjs <keys folder> <store folder> <host:port> [version of nats-server] > nats.conf
// The configuration holds nothing secret. Make it once: what a node lost since stands only in the server's store.
import { join, resolve } from "node:path";

const [keysFolder, store, address, version = "2.10.0"] = process.argv.slice(2);
const [, host, port] = /^(.+):(\d{1,5})$/.exec(address ?? "") ?? [];
if (!keysFolder || !store || !host) {
  console.error("usage: node scripts/bus.mjs <keys folder> <store folder> <host:port> [version] > nats.conf");
  process.exit(2);
}

const { describeAccounts, serverConfig } = await import("#bus");
const { keepNatsKeys } = await import("#embedded");
const { seeds } = await keepNatsKeys(resolve(keysFolder));
const options = {
  ...{ host, port: Number(port), version },
  ...{ store: resolve(join(store, "jetstream")), accountsFolder: resolve(join(store, "accounts")) },
};
process.stdout.write(serverConfig(await describeAccounts(seeds), options));
