import { serverConfig } from "./server-config.js";

const accounts = { operator: "O.J.W", system: "ASYS", accounts: { ASYS: "s.j.w", ACONTROL: "c.j.w" } };
const config = (version: string) =>
  serverConfig(accounts, { host: "127.0.0.1", port: 4222, store: "/a b", accountsFolder: "/accounts", version });

test("a server that knows how syncs every write; an older one is not asked to", () => {
  for (const version of ["2.10.0", "2.12.1", "3.0.0"]) expect(config(version)).toContain("sync_interval: always");
  for (const version of ["2.9.10", "1.99.0"]) expect(config(version)).not.toContain("sync_interval");
});

test("names every account, and quotes paths", () => {
  const text = config("2.9.10");
  expect(text).toContain('store_dir: "/a b"');
  expect(text).toContain("ASYS: s.j.w\n  ACONTROL: c.j.w");
  expect(text).toContain("system_account: ASYS");
});

test("gives a crowd that comes back after a restart the time to sign", () => {
  expect(config("2.10.0")).toContain("authorization { timeout: 20 }");
});
