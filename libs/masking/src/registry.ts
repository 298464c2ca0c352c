import type { TransformDefinition } from "./transform.js";
import { fixed } from "./transforms/fixed.js";
import { hash } from "./transforms/hash.js";
import { nothing } from "./transforms/nothing.js";
import { partial } from "./transforms/partial.js";
import { redact } from "./transforms/redact.js";

/** Every transform by its kind. One more is one file and one line. */
export const TRANSFORMS: ReadonlyMap<string, TransformDefinition> = new Map([
  ["redact", redact],
  ["null", nothing],
  ["partial", partial],
  ["hash", hash],
  ["fixed", fixed],
]);
