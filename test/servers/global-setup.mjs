import { offerServers } from "./lazy.mjs";

export default async function globalSetup() {
  const servers = await offerServers();
  process.env.COUNTERFOIL_TEST_SERVERS = servers.url;
  globalThis.counterfoilTestServers = servers;
}
