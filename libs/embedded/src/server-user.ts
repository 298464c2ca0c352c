import { execFileSync, spawnSync } from "node:child_process";
import { chownSync } from "node:fs";

/** Whom a server runs as. `ids` is empty where it runs as ourselves. */
export interface ServerUser {
  readonly name: string;
  /** For `spawn`. */
  readonly ids: { readonly uid?: number; readonly gid?: number };
  /** Gives a file or folder to the user. */
  own(path: string): void;
  /** Whether the user could reach the path: each folder above it lets it through, and the path itself is executable. */
  reaches(path: string): boolean;
}

/** PostgreSQL refuses to run as root: then it runs as `postgres` where there is such a user, else as `nobody`. */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return { name: "", ids: {}, own: () => {}, reaches: () => true };
  for (const name of ["postgres", "nobody"]) {
    const uid = idOf("-u", name);
    const gid = idOf("-g", name);
    if (!uid || gid === null) continue;
    return {
      name,
      ids: { uid, gid },
      own: (path) => chownSync(path, uid, gid),
      reaches: (path) => spawnSync("test", ["-x", path], { uid, gid, cwd: "/" }).status === 0,
    };
  }
  throw new Error(
    "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: run as another user",
  );
}

function idOf(option: "-u" | "-g", name: string): number | null {
  try {
    return Number(execFileSync("id", [option, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  } catch {
    return null;
  }
}
