import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readApprovalConfig } from "./approval.config.js";

const right = {
  COUNTERFOIL_DATABASE_URL: "postgres://u:p@127.0.0.1:5432/counterfoil",
  COUNTERFOIL_NATS_URL: "nats://127.0.0.1:4222",
};

describe("the approval service's configuration", () => {
  it("is read from the environment", () => {
    const folder = mkdtempSync(join(tmpdir(), "counterfoil-test-config-"));
    try {
      const path = join(folder, "approval.creds");
      writeFileSync(path, "the credentials");
      expect(readApprovalConfig({ ...right, COUNTERFOIL_NATS_CREDENTIALS: path, PATH: "/bin" })).toEqual({
        databaseUrl: right.COUNTERFOIL_DATABASE_URL,
        bus: { url: right.COUNTERFOIL_NATS_URL, name: "approval", credentials: "the credentials" },
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
    ["COUNTERFOIL_NATS_CREDENTIALS", "/nowhere/approval.creds"],
  ])("names %s when it is %j", (name, value) => {
    expect(() => readApprovalConfig({ ...right, [name]: value })).toThrow(name);
  });
});
