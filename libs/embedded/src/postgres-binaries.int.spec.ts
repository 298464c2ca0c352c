import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPostgres } from "./postgres-binaries.js";
import { serverUser } from "./server-user.js";

describe("PostgreSQL's programs", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "counterfoil-binaries-"));
    chmodSync(folder, 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const program = (path: string, text: string) => writeFileSync(path, `#!/bin/sh\necho "${text}"\n`, { mode: 0o755 });

  it("are the first in the system that run", () => {
    const [empty, half, whole] = ["empty", "half", "whole"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const made of [empty, half, whole]) mkdirSync(made);
    program(join(half, "postgres"), "postgres (PostgreSQL) 14.1");
    for (const name of ["postgres", "initdb"]) program(join(whole, name), "postgres (PostgreSQL) 17.2");
    const found = findPostgres(join(folder, "stage"), () => true, [join(folder, "none"), empty, half, whole]);
    expect(found).toEqual({ folder: whole, version: "17.2" });
  });

  it.each([
    ["in place", () => true],
    ["as a copy, where the server's user can't reach the package", (path: string) => !path.includes("node_modules")],
  ])("are the package's where the system has none: %s", (_name, reachable) => {
    const { folder: bin, version } = findPostgres(join(folder, "stage"), reachable, []);
    expect(version).toMatch(/^18\./);
    const user = serverUser();
    const data = join(folder, "data");
    mkdirSync(data, { mode: 0o700 });
    user.own(data);
    const made = spawnSync(join(bin, "initdb"), ["-D", data, "-A", "trust", "--no-sync", "--locale=C"], {
      ...user.ids,
      cwd: "/",
      encoding: "utf8",
    });
    expect(made.stderr).not.toMatch(/error/);
    expect(made.status).toBe(0);
  });
});
