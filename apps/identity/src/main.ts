import { runService } from "#bus/nest";
import { FirstAdminKey } from "./admin-keys/first-admin-key.js";
import { readIdentityConfig } from "./identity.config.js";
import { IdentityModule } from "./identity.module.js";

await runService(
  () => {
    const config = readIdentityConfig(process.env);
    return { bus: config.bus, modules: [IdentityModule.register(config)] };
  },
  ({ app }) => app.get(FirstAdminKey, { strict: false }).ensureFile(),
);
