import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Connection } from "./ways.js";

const debian = "/usr/lib/postgresql";
/** PATH first, then where Debian keeps what it does not put there. */
export const PATH = [
  process.env.PATH ?? "",
  ...(existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : []),
].join(delimiter);

export const present = (program: string): boolean =>
  PATH.split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What libpq and those who imitate it read. `ca`: a file; with it, TLS and the server's name are insisted on. */
export function libpq({ host, port, user, password, database }: Connection, ca: string | null): Record<string, string> {
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGGSSENCMODE: "disable",
    ...(ca ? { PGSSLMODE: "verify-full", PGSSLROOTCERT: ca } : { PGSSLMODE: "disable" }),
  };
}

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { PATH, HOME: "/nonexistent", LC_ALL: "C.UTF-8", TZ: "UTC", ...options.env },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (err += chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
