import { runService } from "#bus/nest";
import { readApprovalConfig } from "./approval.config.js";
import { ApprovalModule } from "./approval.module.js";

await runService(() => {
  const config = readApprovalConfig(process.env);
  return { bus: config.bus, modules: [ApprovalModule.register(config)] };
});
