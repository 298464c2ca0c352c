import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTokensConfig } from "./tokens.config.js";

const right = {
  COUNTERFOIL_DATABASE_URL: "postgres://u:p@127.0.0.1:5432/counterfoil",
  COUNTERFOIL_NATS_URL: "nats://127.0.0.1:4222",
  COUNTERFOIL_KEYS: "/var/lib/counterfoil/keys",
};

describe("the tokens service's configuration", () => {
  it("is read from the environment", () => {
    const folder = mkdtempSync(join(tmpdir(), "counterfoil-test-config-"));
    try {
      const path = join(folder, "tokens.creds");
      writeFileSync(path, "the credentials");
      expect(readTokensConfig({ ...right, COUNTERFOIL_NATS_CREDENTIALS: path, PATH: "/bin" })).toEqual({
        databaseUrl: right.COUNTERFOIL_DATABASE_URL,
        keys: right.COUNTERFOIL_KEYS,
        bus: { url: right.COUNTERFOIL_NATS_URL, name: "tokens", credentials: "the credentials" },
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ["COUNTERFOIL_DATABASE_URL", "mysql://127.0.0.1"],
    ["COUNTERFOIL_DATABASE_URL", undefined],
    ["COUNTERFOIL_NATS_URL", "127.0.0.1:4222"],
    ["COUNTERFOIL_NATS_URL", undefined],
    ["COUNTERFOIL_NATS_CREDENTIALS", "/nowhere/tokens.creds"],
    ["COUNTERFOIL_KEYS", ""],
  ])("names %s when it is %j", (name, value) => {
    expect(() => readTokensConfig({ ...right, [name]: value })).toThrow(name);
  });
});
