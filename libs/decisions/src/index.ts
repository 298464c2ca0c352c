export { BundleRefused, readParts, writeParts } from "./bundle-content.js";
export {
  type BeatShape,
  type ManifestShape,
  partDigest,
  readSigningKey,
  readVerifyKey,
  type SignedBeatShape,
  type SignedBundleShape,
  signBeat,
  signManifest,
  type VerifiedBeat,
  verifyBeat,
  verifyBundle,
} from "./bundle-signature.js";
export { createDecider, type Decidable, type Decider } from "./decider.js";
export type { PolicyProblem } from "./document.js";
export { type KnownNames, policyDoubts } from "./doubts.js";
export { CEDAR_SCHEMA, CONNECT, isAction, REVEAL } from "./schema.js";
export { validatePolicies } from "./validate.js";
