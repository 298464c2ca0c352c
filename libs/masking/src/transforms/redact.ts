import { type TransformDefinition, unknownOption } from "../transform.js";

/** Hides the whole value. */
export const redact: TransformDefinition = {
  whole: true,
  check: (options) => unknownOption(options, []),
  hide: ({ whole }) => whole,
};
