import { runService } from "#bus/nest";
import { readPolicyConfig } from "./policy.config.js";
import { PolicyModule } from "./policy.module.js";

await runService(() => {
  const config = readPolicyConfig(process.env);
  return { bus: config.bus, modules: [PolicyModule.register(config)] };
});
