/** Who acts, as its issuer vouched for it. */
export interface Principal {
  /** `<issuer name>|<subject>`, unique across issuers. */
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
  /** The CI job or agent task it belongs to; empty where the issuer names none. */
  readonly run: string;
  /** Those it acts for, nearest first. */
  readonly onBehalfOf: readonly string[];
}

export interface ResourceRef {
  readonly name: string;
  readonly protocol: string;
}
