import { readConfig } from "./enforcer.config.js";
import { startingSmall } from "./starting-small.js";

/** A node: one process, or several under a supervisor. What a process does not need it does not load. */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  if (config.worker) return (await import("./workers/worker.js")).runWorker(config, config.worker);
  const node =
    config.workers === 1
      ? await (await import("./enforcer.js")).Enforcer.start(config)
      : await (await import("./workers/supervisor.js")).Supervisor.start(config);
  endInOrder(() => node.drain(), config.followParent);
  process.stdout.write(`ready ${node.ports.join(" ")}\n`);
}

/** SIGTERM, SIGINT and the end of the parent end the node in order; a second signal does not wait. */
function endInOrder(drain: () => Promise<void>, followParent: boolean): void {
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    void drain().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  if (!followParent) return;
  const gone = () => {
    if (!stopping) stop();
  };
  process.on("disconnect", gone);
  process.stdin.on("close", gone).on("end", gone).on("error", gone).resume();
}

startingSmall(main).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
