/** What the processes of a node tell each other. A cancel key travels as hexadecimal. */
export type FromWorker =
  /** It listens. */
  { readonly kind: "ready"; readonly ports: readonly number[] } | ForOthers;

export type ToWorker =
  | ForOthers
  /** End in order, and tell your clients so. */
  | { readonly kind: "drain" };

/** Passed on to all other workers. */
export type ForOthers = { readonly kind: "cancel"; readonly key: string } | { readonly kind: "certificate" };
