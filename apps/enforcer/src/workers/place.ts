/** Which process of its node an enforcer is, and how it reaches the others. */
export interface Place {
  /** From 1. The first keeps the node's certificate, and ships what processes that are no more have left. */
  readonly number: number;
  readonly of: number;
  /** It starts with its node; false where it replaces a process that ended. */
  readonly fresh: boolean;
  /** A client wants to cancel with a key that is none of ours. */
  cancelElsewhere(key: Uint8Array): void;
  /** Another certificate lies in the node's folder. */
  certificateRenewed(): void;
  /** A session of ours changed what commands on its resource mean. */
  resourceChanged(resource: string): void;
}

/** The only process of its node. */
export const ALONE: Place = {
  number: 1,
  of: 1,
  fresh: true,
  cancelElsewhere() {},
  certificateRenewed() {},
  resourceChanged() {},
};
