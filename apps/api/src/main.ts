import { readConfig } from "./api.config.js";
import { startApi } from "./start.js";

try {
  const api = await startApi(readConfig());
  console.log(`the API listens on ${api.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void api.close().then(() => process.exit(0)));
  }
} catch (error) {
  console.error(`the API did not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
