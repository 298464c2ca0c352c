/**
 * Runs the sources as they are: `node --import ./test/typescript.mjs libs/x/src/y.ts`. `.js` names resolve to their `.ts`,
 * `#names` to the sources.
 */
import { existsSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const ours = (url) => url?.startsWith("file:") && !url.includes("/node_modules/");

export async function resolve(specifier, context, next) {
  if (ours(context.parentURL) && /^\.{1,2}\/.*\.js$/.test(specifier)) {
    const source = new URL(specifier.replace(/\.js$/, ".ts"), context.parentURL);
    if (existsSync(source)) return next(source.href, context);
  }
  return next(specifier, { ...context, conditions: ["source", ...context.conditions] });
}

export async function load(url, context, next) {
  if (!ours(url) || !url.endsWith(".ts")) return next(url, context);
  const { transformFile } = await import("@swc/core");
  const { code } = await transformFile(fileURLToPath(url), { sourceMaps: "inline" });
  return { format: "module", source: code, shortCircuit: true };
}

if (isMainThread) register(import.meta.url);
