import { type TransformDefinition, unknownOption } from "../transform.js";
import { toNull } from "../whole.js";

/** Makes every value SQL NULL. */
export const nothing: TransformDefinition = {
  whole: true,
  check: (options) => unknownOption(options, []),
  hide: () => toNull,
};
