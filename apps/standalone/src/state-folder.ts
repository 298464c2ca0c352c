import { randomBytes } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

const LEAST_FREE_BYTES = 256 * 1024 * 1024;

/** The folder an installation lives in: private to its owner, used by one process at a time. */
export class StateFolder {
  private constructor(readonly path: string) {}

  /**
   * Makes the folder if need be, checks that it can be used and takes it.
   * @throws StateFolderError when it cannot be written, is nearly full, or is in use.
   */
  static take(path: string): StateFolder {
    try {
      makeFolder(path);
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new StateFolderError(
        `the state folder ${path} cannot be written; give it to this user or set COUNTERFOIL_STATE to another folder`,
        { cause },
      );
    }
    const folder = new StateFolder(path);
    folder.lock();
    try {
      // 0711: the private PostgreSQL may run as another user and must be able to enter its own folder below.
      chmodSync(path, 0o711);
      const { bavail, bsize } = statfsSync(path);
      if (bavail * bsize < LEAST_FREE_BYTES) {
        throw new StateFolderError(
          `the disk of ${path} has less than 256 MiB free; make room or set COUNTERFOIL_STATE`,
        );
      }
    } catch (error) {
      folder.release();
      throw error;
    }
    return folder;
  }

  /** An absolute path inside, its folder made and private. */
  folder(...names: readonly string[]): string {
    const path = join(this.path, ...names);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  file(...names: readonly string[]): string {
    return join(this.folder(...names.slice(0, -1)), names.at(-1) ?? "");
  }

  /** Writes a file only its owner reads, whole or not at all. */
  writePrivate(path: string, text: string): void {
    const temporary = `${path}.${randomBytes(4).toString("hex")}`;
    writeFileSync(temporary, text, { mode: 0o600, flag: "wx" });
    renameSync(temporary, path);
  }

  /** What a file written here holds, or null where there is none. @throws StateFolderError that names the file */
  readJson<T>(path: string): T | null {
    if (!existsSync(path)) return null;
    try {
      return JSON.parse(readFileSync(path, "utf8")) as T;
    } catch (cause) {
      throw new StateFolderError(`${path} is damaged: mend it, or delete it to have it made anew`, { cause });
    }
  }

  /** A secret that stays the same over restarts. */
  secret(name: string): { readonly path: string; readonly text: string } {
    const path = this.file("credentials", name);
    if (!existsSync(path)) this.writePrivate(path, randomBytes(24).toString("base64url"));
    const text = readFileSync(path, "utf8").trim();
    if (text === "") throw new StateFolderError(`${path} is empty: delete it to have it made anew`);
    return { path, text };
  }

  release(): void {
    rmSync(this.lockFile, { force: true });
  }

  private get lockFile(): string {
    return join(this.path, "lock");
  }

  private lock(): void {
    for (let attempt = 0; ; attempt++) {
      try {
        const descriptor = openSync(this.lockFile, "wx", 0o600);
        writeSync(descriptor, `${process.pid} ${startOf(process.pid)}`);
        closeSync(descriptor);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
          throw new StateFolderError(
            `the state folder ${this.path} cannot be written; set COUNTERFOIL_STATE to another`,
            {
              cause: error,
            },
          );
        }
        const owner = this.lockOwner();
        if (owner !== null || attempt > 2) {
          throw new StateFolderError(
            `Counterfoil already runs on ${this.path} (process ${owner}); stop it first, or set COUNTERFOIL_STATE`,
          );
        }
        // Left by a process that crashed.
        unlinkSync(this.lockFile);
      }
    }
  }

  /** The process that holds the lock, or null where it is gone. */
  private lockOwner(): number | null {
    let text: string;
    try {
      text = readFileSync(this.lockFile, "utf8");
    } catch (cause) {
      throw new StateFolderError(`${this.lockFile} cannot be read; remove it if no Counterfoil runs there`, { cause });
    }
    const [pid, start] = text.split(" ");
    return start !== undefined && start !== "gone" && startOf(Number(pid)) === start ? Number(pid) : null;
  }

  /** Forgets everything an installation knows; what else lies in the folder stays. */
  empty(): void {
    for (const name of [
      "postgres",
      "nats",
      "keys",
      "credentials",
      "enforcer",
      "issuer",
      "cli.json",
      "demo.yaml",
      "installation.json",
    ]) {
      rmSync(join(this.path, name), { recursive: true, force: true });
    }
  }
}

/** With what is missing above it. Node's own `recursive` never ends where a file system makes no folders, such as /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** When a process started, in clock ticks since boot (proc(5), stat field 22): a process id alone may be reused. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "gone";
  } catch {
    return existsSync("/proc/self") ? "gone" : "unknown";
  }
}

class StateFolderError extends Error {
  override readonly name = "StateFolderError";
}
