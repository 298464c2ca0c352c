import "reflect-metadata";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cheatSheet } from "./cheat-sheet.js";
import { claim } from "./claim.js";
import { Installation } from "./installation.js";
import { readConfig } from "./standalone.config.js";

// dist/apps/standalone/src/main.js: the project is five folders up.
const PROJECT = [1, 2, 3, 4, 5].reduce((path) => dirname(path), fileURLToPath(import.meta.url));
const ONE_CTRL_C_MS = 500;
const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const installation = new Installation(say);
  let asked = 0;
  let firstAsked = 0;
  const end = async (code: number) => {
    // A Ctrl-C comes from the terminal and from npm, at once: that is one.
    if (asked > 0 && Date.now() - firstAsked < ONE_CTRL_C_MS) return;
    // Asked twice, we do not wait: what we started ends with us anyway.
    if (++asked > 1) process.exit(1);
    firstAsked = Date.now();
    if (code === 0) say("… stopping");
    await installation.stop();
    process.exit(code);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(0));
  try {
    const config = readConfig(process.argv.slice(2), process.env, PROJECT);
    const state = await claim(config, installation);
    // Everything there is, seconds long: what is wrong with settings and places has been said by then.
    const { startEverything } = await import("./start.js");
    const started = await startEverything(config, state, installation, { project: PROJECT, say });
    say(cheatSheet({ ...started, usual: config.state === join(PROJECT, ".counterfoil") }));
    say("ready");
    void started.failed.then((reason) => {
      if (asked > 0) return;
      process.stderr.write(`${reason}\n`);
      return end(1);
    });
  } catch (error) {
    // A signal during the start makes what is under way fail; then there is nothing to say, and it is ending.
    if (asked > 0) return;
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    await end(1);
  }
}

await main();
