import { type ChildProcess, spawn } from "node:child_process";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

/**
 * The enforcer as a process of its own, so that neither can take the other down. One that dies is started again, with
 * growing pauses; it follows its parent's death by itself.
 */
export class EnforcerProcess {
  private child: ChildProcess | null = null;
  private stopping = false;
  private pause = FIRST_PAUSE_MS;
  private restart: NodeJS.Timeout | null = null;

  private constructor(
    private readonly program: string,
    private readonly configFile: string,
    private readonly say: (line: string) => void,
  ) {}

  /** @throws when the enforcer ends before it is ready the first time; the message is its own. */
  static async start(program: string, configFile: string, say: (line: string) => void): Promise<EnforcerProcess> {
    const process = new EnforcerProcess(program, configFile, say);
    await process.run();
    return process;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    if (this.restart) clearTimeout(this.restart);
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  }

  private run(): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [this.program], {
        env: {
          // What V8's threads have freed is used again by all (mallopt(3)): some 10 MB of an idle process.
          MALLOC_ARENA_MAX: "1",
          ...process.env,
          COUNTERFOIL_ENFORCER_CONFIG: this.configFile,
          COUNTERFOIL_PARENT_PIPE: "1",
        },
        stdio: ["pipe", "pipe", "pipe"],
      });
      this.child = child;
      let ready = false;
      let output = "";
      const hear = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-4096);
        if (ready || !/^ready/m.test(output)) return;
        ready = true;
        this.pause = FIRST_PAUSE_MS;
        resolve();
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", (chunk: Buffer) => {
        hear(chunk);
        if (ready) for (const line of chunk.toString().trimEnd().split("\n")) this.say(`enforcer: ${line}`);
      });
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (this.stopping) return resolve();
        if (!ready && this.restart === null)
          return reject(new Error(`the enforcer ended before it was ready: ${output.trim()}`));
        this.say(`the enforcer ended (${signal ?? code}); starting it again`);
        this.restart = setTimeout(() => void this.run().catch(() => {}), this.pause);
        this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
      });
    });
  }
}
