import { connectBus } from "#bus";
import { readApiConfig } from "./api.config.js";
import { startApi } from "./start.js";

try {
  const config = readApiConfig(process.env);
  const bus = await connectBus(config.bus);
  const api = await startApi(config, bus);
  console.log(`ready ${api.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await api.close();
      await bus.close();
      process.exit(0);
    });
  }
} catch (error) {
  console.error(`the API did not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
