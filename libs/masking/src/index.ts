export type { Mask, TransformSpec, ValueType } from "./mask.js";
export { checkTransform, combined, HASH_KEY_BYTES, type MaskRequest, maskFor, showsNothing } from "./mask-for.js";
