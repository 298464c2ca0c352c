#!/usr/bin/env node
const built = new URL("../../../dist/apps/cli/src/main.js", import.meta.url);

let main;
try {
  ({ main } = await import(built.href));
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  console.error("counterfoil has not been built yet: run `npm start` or `npm run build` first.");
  process.exitCode = 1;
}
await main?.(process.argv);
