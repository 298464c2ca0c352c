import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestNats {
  readonly url: string;
  stop(): Promise<void>;
}

/** A nats-server on a free port. */
export async function startNats(): Promise<TestNats> {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-api-nats-"));
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder], { stdio: "ignore" });
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (let tries = 0; tries < 500; tries++) {
      const file = readdirSync(folder).find((name) => name.endsWith(".ports"));
      const text = file ? readFileSync(join(folder, file), "utf8") : "";
      if (text.endsWith("}")) return { url: (JSON.parse(text) as { nats: string[] }).nats[0] as string, stop };
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error("nats-server did not start");
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}
