import { readFileSync } from "node:fs";
import { document } from "./document.js";

test("docs/postgres-coverage.md says what the code does: `npm run generate:coverage` writes it anew", async () => {
  const page = new URL("../../docs/postgres-coverage.md", import.meta.url);
  expect(readFileSync(page, "utf8")).toBe(await document());
});
