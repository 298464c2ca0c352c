import { runService } from "#bus/nest";
import { readAuditConfig } from "./audit.config.js";
import { AuditModule } from "./audit.module.js";

await runService(() => {
  const config = readAuditConfig(process.env);
  return { bus: config.bus, modules: [AuditModule.register(config)] };
});
