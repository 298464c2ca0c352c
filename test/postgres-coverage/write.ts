import { writeFileSync } from "node:fs";
import { document } from "./document.js";

writeFileSync(new URL("../../docs/postgres-coverage.md", import.meta.url), await document());
