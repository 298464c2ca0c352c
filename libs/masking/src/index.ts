export type { Mask, TransformSpec, ValueType } from "./mask.js";
export { checkTransform, combined, HASH_KEY_BYTES, type MaskRequest, maskFor } from "./mask-for.js";
