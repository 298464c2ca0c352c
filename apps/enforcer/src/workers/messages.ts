/** What the processes of a node tell each other. A cancel key travels as hexadecimal. */
export type FromWorker =
  /** It listens. */
  { readonly kind: "ready"; readonly ports: readonly number[] } | ForOthers;

/** Passed on to all other workers. */
export type ForOthers =
  | { readonly kind: "cancel"; readonly key: string }
  | { readonly kind: "certificate" }
  /** A session changed what its resource's commands mean. */
  | { readonly kind: "changed"; readonly resource: string };
