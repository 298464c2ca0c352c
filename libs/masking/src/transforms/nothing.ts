import { type TransformDefinition, unknownOption } from "../transform.js";

const toNull = () => null;

/** Makes every value SQL NULL. */
export const nothing: TransformDefinition = {
  whole: true,
  check: (options) => unknownOption(options, []),
  hide: () => toNull,
};
