import type { Principal } from "./principal.js";

/** What the parts of a bundle say: JSON, one shape a part. */
export interface BundleContent {
  readonly policies: readonly PolicyPart[];
  readonly labels: readonly LabelPart[];
  readonly resources: readonly ResourcePart[];
}

/** A verified bundle. */
export interface Bundle extends BundleContent {
  readonly group: string;
  readonly epoch: number;
  readonly leaseSeconds: number;
}

export interface PolicyPart {
  /** The document's name. */
  readonly name: string;
  /** Cedar text. */
  readonly text: string;
}

export interface LabelPart {
  readonly name: string;
  readonly columns: readonly LabelledColumn[];
  readonly transform: Transform;
}

export interface LabelledColumn {
  readonly resource: string;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}

export type TransformKind = "redact" | "null" | "partial" | "hash" | "fixed";

export interface Transform {
  readonly kind: TransformKind;
  readonly options: Readonly<Record<string, string>>;
}

export interface ResourcePart {
  readonly name: string;
  readonly protocol: string;
  readonly upstream: UpstreamPart;
  readonly credential: {
    readonly username: string;
    /** `env:NAME` or `file:/path`. */
    readonly password: string;
  };
  /** The durability class of plain reads. */
  readonly reads: "os" | "disk";
}

export interface UpstreamPart {
  /** At least one; tried in this order. */
  readonly hosts: readonly HostPart[];
  readonly targetSessionAttrs: TargetSessionAttrs;
  readonly database: string;
  readonly tls: "disable" | "require" | "verify-full";
  /** PEM; empty means the system's roots. */
  readonly ca: string;
}

export interface HostPart {
  readonly host: string;
  readonly port: number;
}

/** Which of several hosts will do, as libpq means it (PostgreSQL manual, section 34.1.2). */
export const TARGET_SESSION_ATTRS = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"] as const;
export type TargetSessionAttrs = (typeof TARGET_SESSION_ATTRS)[number];

/** Facts about the session that policies can ask about. */
export interface SessionFacts {
  readonly principal: Principal;
  readonly resource: string;
  /** Actions the token is limited to; empty means no limit of its own. */
  readonly scope: readonly string[];
  readonly clientAddress: string;
}
