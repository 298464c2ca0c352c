export { canonicalJson, type Json } from "./canonical-json.js";
export { type AuditEntry, type SealedEntry, seal, unseal } from "./entry.js";
export { append, appendAll, decodeFrontier, emptyFrontier, encodeFrontier, type Frontier, rootOf } from "./frontier.js";
export { emptyRoot, leafHash, nodeHash } from "./merkle-hash.js";
export {
  consistencyProof,
  inclusionProof,
  type Subtree,
  subtreeOf,
  treeHash,
  verifyConsistency,
  verifyInclusion,
} from "./proofs.js";
