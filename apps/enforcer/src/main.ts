import { readConfig } from "./enforcer.config.js";
import { Enforcer } from "./enforcer.js";

/** SIGTERM, SIGINT and the end of the parent end the enforcer in order; a second signal does not wait. */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  const enforcer = await Enforcer.start(config);
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    void enforcer.drain().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  if (config.followParent) {
    const gone = () => {
      if (!stopping) stop();
    };
    process.on("disconnect", gone);
    process.stdin.on("close", gone).on("end", gone).on("error", gone).resume();
  }
  process.stdout.write(`ready ${enforcer.ports.join(" ")}\n`);
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
