import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformFile } from "@swc/core";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
export interface Options {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string;
}

/** The program as the build makes it, in a folder of its own with a home of its own. */
export class Built {
  readonly folder = mkdtempSync(join(tmpdir(), "counterfoil-cli-"));
  readonly home = join(this.folder, "home");
  readonly program = join(this.folder, "apps/cli/bin/counterfoil.mjs");
  private readonly running = new Set<ChildProcess>();

  static async make(): Promise<Built> {
    const built = new Built();
    const source = join(ROOT, "apps/cli/src");
    mkdirSync(built.home);
    cpSync(join(ROOT, "apps/cli/bin"), dirname(built.program), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(built.folder, "node_modules"));
    writeFileSync(join(built.folder, "package.json"), '{"type":"module"}');
    for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts") || name.endsWith(".spec.ts")) continue;
      const { code } = await transformFile(join(source, name), { configFile: join(ROOT, ".swcrc"), sourceMaps: false });
      const target = join(built.folder, "dist/apps/cli/src", name.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code);
    }
    return built;
  }

  remove(): void {
    for (const child of this.running) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes the settings file this home has. */
  settings(content: unknown, mode = 0o600): string {
    const file = join(this.home, ".config/counterfoil/cli.json");
    mkdirSync(dirname(file), { recursive: true });
    rmSync(file, { force: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
    return file;
  }

  begin(args: readonly string[], { env = {}, cwd = this.home }: Options = {}): ChildProcess {
    const child = spawn(process.execPath, [this.program, ...args], {
      cwd,
      env: { PATH: process.env.PATH, HOME: this.home, TMPDIR: this.folder, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.running.add(child);
    child.once("exit", () => this.running.delete(child));
    return child;
  }

  async run(args: readonly string[], options: Options = {}): Promise<Ended> {
    const child = this.begin(args, options);
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
    return ended(child);
  }
}

export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** What the child has said once it matches. */
export function says(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (data: Buffer | string) => {
      text += data;
      if (pattern.test(text)) resolve(text);
    });
    child.once("close", () => reject(new Error(`it ended having said: ${text}`)));
  });
}
