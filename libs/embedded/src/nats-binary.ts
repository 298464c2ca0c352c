import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fetchRelease, type NatsRelease, releaseFor } from "./nats-release.js";

export interface NatsBinary {
  readonly path: string;
  /** `2.9.10` */
  readonly version: string;
}

/** What the search looks at; tests give their own. */
export interface NatsSources {
  /** Folders with programs, the first match wins. */
  readonly folders: readonly string[];
  /** Runs a program in a folder and waits. @throws Error where it fails */
  readonly run: (program: string, args: readonly string[], cwd: string) => void;
  /** Null where there is none for this machine. */
  readonly release: NatsRelease | null;
}

const HERE: NatsSources = {
  // Debian installs it where an ordinary user's PATH does not look.
  folders: [
    ...(process.env.PATH ?? "").split(delimiter).filter(Boolean),
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
  ],
  run: (program, args, cwd) => {
    execFileSync(program, args, { cwd, stdio: "ignore", timeout: 300_000 });
  },
  release: releaseFor(process.platform, process.arch),
};

/**
 * The system's nats-server, else one kept in `stage`, else the distribution's package unpacked into `stage` (not installed:
 * an installed one would also run as a service of the system), else the pinned release.
 *
 * @throws Error that says what to do; its cause says what was tried
 */
export async function findNats(stage: string, sources: NatsSources = HERE): Promise<NatsBinary> {
  const known = look([...sources.folders, stage]);
  if (known) return known;
  const { run, release } = sources;
  const attempts: (() => void | Promise<void>)[] = [() => unpackPackage(stage, run)];
  // The package lists may be old or missing; only root can fetch them.
  if (process.getuid?.() === 0) {
    attempts.push(() => {
      run("apt-get", ["update"], "/");
      unpackPackage(stage, run);
    });
  }
  if (release) attempts.push(() => downloadRelease(release, stage, run));
  const failures: unknown[] = [];
  for (const attempt of attempts) {
    try {
      await attempt();
      const found = look([stage]);
      if (found) return found;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new Error(
    "no nats-server found: install it (Debian: apt-get install nats-server; otherwise https://github.com/nats-io/nats-server/releases, version 2.9 or newer) and put its folder on PATH",
    { cause: new AggregateError(failures, "what was tried") },
  );
}

function look(folders: readonly string[]): NatsBinary | null {
  for (const folder of folders) {
    const path = join(folder, "nats-server");
    const version = existsSync(path) ? versionOf(path) : null;
    if (version) return { path, version };
  }
  return null;
}

function versionOf(path: string): string | null {
  try {
    const said = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return /v(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** apt checks the package against its signed lists. */
function unpackPackage(stage: string, run: NatsSources["run"]): void {
  inScratchFolder(stage, (folder) => {
    run("apt-get", ["download", "nats-server"], folder);
    const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
    if (!archive) return;
    run("dpkg-deb", ["-x", archive, "."], folder);
    renameSync(join(folder, "usr", "sbin", "nats-server"), join(stage, "nats-server"));
  });
}

async function downloadRelease(release: NatsRelease, stage: string, run: NatsSources["run"]): Promise<void> {
  const archive = await fetchRelease(release);
  inScratchFolder(stage, (folder) => {
    writeFileSync(join(folder, "release.tar.gz"), archive);
    run("tar", ["-xzf", "release.tar.gz", "--strip-components=1"], folder);
    renameSync(join(folder, "nats-server"), join(stage, "nats-server"));
  });
}

function inScratchFolder(stage: string, work: (folder: string) => void): void {
  mkdirSync(stage, { recursive: true });
  const folder = mkdtempSync(join(stage, "unpack-"));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
