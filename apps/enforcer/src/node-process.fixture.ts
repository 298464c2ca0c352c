import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { World } from "./enforcer.fixture.js";

/** What `npm test` has built. */
const PROGRAM = resolve("dist/apps/enforcer/src/main.js");

/** An enforcer as a process of its own. */
export class NodeProcess {
  readonly child: ChildProcess;
  /** The port of its first listener. Rejects with what it said where it ends first. */
  readonly ready: Promise<number>;

  constructor(configFile: string, env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, NODE_OPTIONS: "", COUNTERFOIL_ENFORCER_CONFIG: configFile, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const said = { out: "", err: "" };
    this.child.stderr!.on("data", (chunk) => (said.err += chunk));
    this.ready = new Promise((found, failed) => {
      this.child.stdout!.on("data", (chunk) => {
        said.out += chunk;
        const ready = /^ready (\d+)/m.exec(said.out);
        if (ready) found(Number(ready[1]));
      });
      this.child.once("close", (code) => failed(new Error(`it ended with ${code}: ${said.err}`)));
    });
    this.ready.catch(() => {});
  }
}

/** Writes the configuration of a node of its own; gives the file. */
export async function writeConfig(world: World, change: Record<string, unknown> = {}): Promise<string> {
  const { followParent: _, worker: __, ...config } = await world.config();
  const path = join(world.folder, `${config.id}.json`);
  writeFileSync(path, JSON.stringify({ ...config, ...change }));
  return path;
}
