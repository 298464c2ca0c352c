import { runService } from "#bus/nest";
import { readTokensConfig } from "./tokens.config.js";
import { TokensModule } from "./tokens.module.js";

await runService(() => {
  const config = readTokensConfig(process.env);
  return { bus: config.bus, modules: [TokensModule.register(config)] };
});
