import type { EnforcerConfig, WorkerConfig } from "../enforcer.config.js";
import { Enforcer } from "../enforcer.js";
import type { FromWorker, ToWorker } from "./messages.js";

/** One process of a node that has several: an enforcer that shares its port with the others, and ends as it is told. */
export async function runWorker(config: EnforcerConfig, { number, fresh }: WorkerConfig): Promise<void> {
  const tell = (message: FromWorker) => {
    if (process.connected) process.send?.(message);
  };
  const enforcer = await Enforcer.start(config, {
    number,
    fresh,
    of: config.workers,
    cancelElsewhere: (key) => tell({ kind: "cancel", key: Buffer.from(key).toString("hex") }),
    certificateRenewed: () => tell({ kind: "certificate" }),
  });
  const end = () => void enforcer.drain().finally(() => process.exit(0));
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  process.on("message", (message: ToWorker) => {
    if (message.kind === "drain") end();
    else if (message.kind === "cancel") enforcer.cancel(Buffer.from(message.key, "hex"));
    else enforcer.reloadCertificate();
  });
  tell({ kind: "ready", ports: enforcer.ports });
}
