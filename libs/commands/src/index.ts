export type {
  Bundle,
  BundleContent,
  LabelledColumn,
  LabelPart,
  PolicyPart,
  ResourcePart,
  SessionFacts,
  Transform,
  TransformKind,
} from "./bundle.js";
export {
  type HostPart,
  TARGET_SESSION_ATTRS,
  type TargetSessionAttrs,
  type UpstreamPart,
} from "./bundle.js";
export { ANYWHERE, type ColumnUse, type Copy, FILTER_USES, ORDER_USES } from "./column-use.js";
export {
  type CodeFacts,
  type ColumnRef,
  type Command,
  NO_CODE,
  NOTHING_TOUCHED,
  type Operation,
  type OutputColumn,
  type Parameter,
} from "./command.js";
export { commandDigest, type ExactCommand } from "./digest.js";
export {
  type BulkColumn,
  type BulkFormat,
  type DescribedColumn,
  type Hide,
  type Mask,
  type MaskPlan,
  type MaskTarget,
  NOTHING_MASKED,
  type ValueType,
} from "./mask.js";
export type { Principal, ResourceRef } from "./principal.js";
export { SQL_ACTIONS, SQL_ANY, type SqlAction, type SqlActionGroup } from "./sql-actions.js";
export type {
  Allow,
  Deny,
  Hold,
  LabelUse,
  MaskedLabel,
  NativeError,
  Refusal,
  RefusalCode,
  RowLimit,
  Verdict,
} from "./verdict.js";
