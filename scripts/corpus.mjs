// `npm run corpus [-- --from FOLDER] [file …]`: PostgreSQL's own regression SQL (src/test/regress/sql, or FOLDER) against the
// understanding and a real server. Without FOLDER it is fetched as Debian's source package, from where apt is set up to
// fetch from, and kept below node_modules/.cache/corpus.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { offerServers } from "../test/servers/lazy.mjs";
import { root } from "./install.mjs";

const { values: options, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { from: { type: "string" } },
});
const folder = options.from ?? fetched();
// The child asks it for a server, so this process goes on meanwhile.
const servers = await offerServers();
const child = spawn(
  process.execPath,
  ["--import", join(root, "test", "typescript.mjs"), join(root, "test", "corpus", "run.ts"), folder, ...files],
  { stdio: "inherit", env: { ...process.env, COUNTERFOIL_TEST_SERVERS: servers.url } },
);
const [status] = await once(child, "exit");
await servers.close();
process.exit(status ?? 1);

function fetched() {
  const cache = join(root, "node_modules", ".cache", "corpus");
  mkdirSync(join(cache, "lists", "partial"), { recursive: true });
  const sources = (find) => readdirSync(cache).find((name) => name.startsWith("postgresql-") && find(name));
  const unpacked = () => sources((name) => /^postgresql-[\d.]+$/.test(name));
  if (!unpacked()) {
    const targets = run("apt-get", [
      "indextargets",
      "--format",
      "$(REPO_URI) $(RELEASE) $(COMPONENT)",
      "Created-By: Packages",
    ]);
    // Not the newest fixes: the release's own sources do, and every mirror has them.
    const releases = targets
      .trim()
      .split("\n")
      .filter((line) => !line.includes("security"));
    const lines = [...new Set(releases)].map((line) => `deb-src ${line}\n`);
    writeFileSync(join(cache, "sources.list"), lines.join(""));
    const apart = [
      "Dir::Etc::SourceList=sources.list",
      "Dir::Etc::SourceParts=-",
      "Dir::State::Lists=lists",
      "Dir::Cache=.",
    ]
      .map((setting) => setting.replace(/=(?!-)/, `=${cache}/`))
      .flatMap((setting) => ["-o", setting]);
    run("apt-get", ["-q", ...apart, "update"]);
    const policy = run("apt-cache", [...apart, "search", "--names-only", "^postgresql-server-dev-[0-9]+$"]);
    const major = Math.max(...[...policy.matchAll(/dev-(\d+)/g)].map(([, version]) => Number(version)), 15);
    run("apt-get", ["-q", ...apart, "source", "--download-only", `postgresql-${major}`], cache);
    run(
      "tar",
      ["-xf", sources((name) => name.includes(".orig.tar")), "--wildcards", "*/src/test/regress/sql/*"],
      cache,
    );
  }
  return join(cache, unpacked(), "src", "test", "regress", "sql");
}

function run(program, args, cwd = root) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  console.error(`${program} ${args.at(-1)}: ${stderr}\nName a folder of PostgreSQL's sources with --from instead.`);
  process.exit(1);
}
