#!/usr/bin/env node
import { existsSync } from "node:fs";

const built = new URL("../../../dist/apps/cli/src/main.js", import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  await main(process.argv);
} else {
  console.error("counterfoil has not been built yet: run `npm start` or `npm run build` first.");
  process.exitCode = 1;
}
