// Regenerates the contracts into a scratch folder and compares: what is committed must be what proto/ says.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const committed = "libs/contracts/src/generated";
const scratch = mkdtempSync(join(tmpdir(), "counterfoil-generated-"));
const files = (root) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
try {
  execFileSync("npx", ["buf", "lint"], { stdio: "inherit" });
  const plugin = { local: "protoc-gen-es", out: scratch, opt: ["target=ts", "import_extension=js"] };
  execFileSync("npx", ["buf", "generate", "--template", JSON.stringify({ version: "v2", plugins: [plugin] })], {
    stdio: "inherit",
  });
  const stale = [...new Set([...files(committed), ...files(scratch)])].filter((file) => {
    try {
      return !readFileSync(join(committed, file)).equals(readFileSync(join(scratch, file)));
    } catch {
      return true;
    }
  });
  if (stale.length > 0) {
    console.error(`generated code is stale, run \`npm run generate\`:\n${stale.map((file) => `  ${file}`).join("\n")}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
