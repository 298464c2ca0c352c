import type { EnforcerConfig, WorkerConfig } from "../enforcer.config.js";
import { Enforcer } from "../enforcer.js";
import type { ForOthers, FromWorker } from "./messages.js";

/** One process of a node that has several: an enforcer that shares its port with the others, and ends as it is told. */
export async function runWorker(config: EnforcerConfig, { number, fresh }: WorkerConfig): Promise<void> {
  let enforcer: Enforcer | null = null;
  // Whoever has not begun has nothing to end, and may wait for a certificate for ever.
  const end = () => void (enforcer ? enforcer.drain() : Promise.resolve()).finally(() => process.exit(0));
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  const tell = (message: FromWorker) => {
    if (process.connected) process.send?.(message);
  };
  const starting = Enforcer.start(config, {
    number,
    fresh,
    of: config.workers,
    cancelElsewhere: (key) => tell({ kind: "cancel", key: Buffer.from(key).toString("hex") }),
    certificateRenewed: () => tell({ kind: "certificate" }),
    resourceChanged: (resource) => tell({ kind: "changed", resource }),
  });
  process.on("message", (message: ForOthers) => {
    starting.then((started) => heard(started, message)).catch(() => {});
  });
  enforcer = await starting;
  tell({ kind: "ready", ports: enforcer.ports });
}

function heard(enforcer: Enforcer, message: ForOthers): void {
  switch (message.kind) {
    case "cancel":
      enforcer.cancel(Buffer.from(message.key, "hex"));
      break;
    case "certificate":
      enforcer.reloadCertificate();
      break;
    case "changed":
      enforcer.resourceChanged(message.resource);
      break;
    default:
      message satisfies never;
  }
}
