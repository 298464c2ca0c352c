import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";

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
};

/**
 * The system's nats-server, else one kept in `stage`, else the distribution's package unpacked into `stage`: unpacked, not
 * installed, for an installed one would also run as a service of the system.
 *
 * @throws Error that says what to do
 */
export function findNats(stage: string, sources: NatsSources = HERE): NatsBinary {
  const known = look([...sources.folders, stage]);
  if (known) return known;
  const attempts: (() => void)[] = [() => unpackPackage(stage, sources)];
  // The package lists may be old or missing; only root can fetch them.
  if (process.getuid?.() === 0) {
    attempts.push(() => {
      sources.run("apt-get", ["update"], "/");
      unpackPackage(stage, sources);
    });
  }
  for (const attempt of attempts) {
    try {
      attempt();
      const unpacked = look([stage]);
      if (unpacked) return unpacked;
    } catch {
      // The next one may work; where none does, the sentence below says what to do.
    }
  }
  throw new Error(
    "no nats-server found: install it (Debian: apt-get install nats-server; otherwise https://github.com/nats-io/nats-server/releases, version 2.9 or newer) and put its folder on PATH",
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
function unpackPackage(stage: string, { run }: NatsSources): void {
  mkdirSync(stage, { recursive: true });
  const folder = mkdtempSync(join(stage, "unpack-"));
  try {
    run("apt-get", ["download", "nats-server"], folder);
    const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
    if (!archive) return;
    run("dpkg-deb", ["-x", archive, "."], folder);
    renameSync(join(folder, "usr", "sbin", "nats-server"), join(stage, "nats-server"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
