import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Installation } from "./installation.js";

// What a damaged state folder does: it is named, or it heals.

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.create();
  await installation.start();
  await installation.stop();
}, 120_000);
afterAll(() => installation?.dispose());

const damage = (...path: string[]) => {
  const file = join(installation.state, ...path);
  writeFileSync(file, "{ not what it was");
  return file;
};

test("each damaged file is named, and made anew once it is deleted", async () => {
  // As the start comes to them.
  const files = [damage("cli.json"), damage("issuer", "key.jwk.json"), damage("enforcer", "enforcer.json")];
  for (const file of files) {
    const { code, stderr } = await installation.launch().finished;
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} is damaged: mend it, or delete it`);
    expect(stderr).not.toContain("    at ");
    rmSync(file);
  }
  await installation.start();
  expect((await installation.psql("select 1")).stdout.trim()).toBe("1");
  await installation.stop();
}, 120_000);

test("a damaged bundle, a lost spool and a lost stream heal", async () => {
  damage("enforcer", "node", "bundle");
  const spool = join(installation.state, "enforcer", "node", "spool");
  for (const segment of readdirSync(spool).filter((file) => file.endsWith(".seg")))
    writeFileSync(join(spool, segment), "");
  rmSync(join(installation.state, "nats", "jetstream"), { recursive: true });
  await installation.start();
  expect((await installation.psql("select 2")).stdout.trim()).toBe("2");
  await installation.stop();
}, 120_000);
