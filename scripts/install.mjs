// What `npm start` and `npm test` need before any dependency can be imported. Uses nothing but Node.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Ends the process with one sentence when Node is too old to run us. */
export function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    `Counterfoil needs Node 20.19 or newer; this is ${process.version}. Install a current Node and try again.`,
  );
  process.exit(1);
}

/** Installs the packages the lockfile names unless exactly these are installed. */
export function installPackages(say) {
  const wanted = digest(["package.json", "package-lock.json"]);
  const packages = join(root, "node_modules");
  const stamp = join(packages, ".counterfoil-installed");
  const lock = join(packages, ".counterfoil-installing");
  const installed = () => existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  if (installed()) return;
  mkdirSync(packages, { recursive: true });
  takeLock(lock, say);
  if (!installed()) {
    say("installing packages");
    // Without a stamp it was interrupted, and what that left, half a package too, would look whole to npm.
    const left = existsSync(stamp) ? [stamp] : readdirSync(packages).map((name) => join(packages, name));
    for (const path of left) if (path !== lock) rmSync(path, { recursive: true });
    npmInstall();
    writeFileSync(stamp, wanted);
  }
  rmSync(lock);
}

/** Waits while another process has it. */
function takeLock(lock, say) {
  for (let told = false; ; ) {
    try {
      return writeFileSync(lock, String(process.pid), { flag: "wx" });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isHeld(lock)) {
      takeAway(lock);
      continue;
    }
    if (!told) say("waiting for another install");
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

/** Of a process that is gone; one that somebody else was quicker to take is put back. */
function takeAway(lock) {
  const taken = `${lock}-${process.pid}`;
  try {
    renameSync(lock, taken);
    if (isHeld(taken)) renameSync(taken, lock);
    else rmSync(taken);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
}

/** By a process that runs; false too where it has just been given back. */
function isHeld(lock) {
  try {
    return process.kill(Number(readFileSync(lock, "utf8")), 0);
  } catch {
    return false;
  }
}

function npmInstall() {
  // Ctrl-C reaches npm as well: we go once it has put away what it had begun.
  const stay = () => {};
  process.on("SIGINT", stay);
  // `install --no-save` rather than `ci`: the lockfile may lack other platforms' optional binaries, which `ci` refuses.
  const { status } = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_ENV: "development" },
  });
  process.off("SIGINT", stay);
  if (status === 0) return;
  console.error(
    "npm install did not finish: unless you ended it, check the network and the registry (`npm config get registry`); then try again.",
  );
  process.exit(1);
}

/** Compiles apps/ and libs/ into dist/ unless dist/ is of exactly these sources. */
export function build(say) {
  const sources = ["apps", "libs"]
    .flatMap((folder) => filesIn(join(root, folder)))
    .filter((file) => !/\.spec\.ts$/.test(file));
  const wanted = digest([".swcrc", ...sources]);
  const stamp = join(root, "dist", ".built");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("building");
  // Beside dist/ and then in its place: whoever runs or builds meanwhile never sees a half of it.
  const fresh = join(root, "node_modules", `.counterfoil-dist-${process.pid}`);
  const old = `${fresh}-old`;
  try {
    execFileSync("npm", ["run", "--silent", "build", "--", "--out-dir", fresh], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
    writeFileSync(join(fresh, ".built"), wanted);
    if (existsSync(join(root, "dist"))) renameSync(join(root, "dist"), old);
    renameSync(fresh, join(root, "dist"));
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((file) => statSync(file).isFile())
    .sort();
}

function digest(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const path = file.replace(`${root}/`, "");
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  }
  return hash.digest("hex");
}
