import { canonicalJson, type Json } from "./canonical-json.js";
import { leafHash } from "./merkle-hash.js";

/** One line of the audit log: who did what, as its source says it. */
export interface AuditEntry {
  /** Dense, from 1; leaf `index - 1` of the tree. */
  readonly index: number;
  /** When it happened, as its source says: ISO 8601 in UTC. */
  readonly time: string;
  /** `control` for decided facts, `edge` for observed ones, `audit` for what the log itself concludes from them. */
  readonly origin: "control" | "edge" | "audit";
  /** Within its origin: the event store, the spool, or the log. With `sequence` it names the fact, so that none is taken twice. */
  readonly source: string;
  /** Dense within the source, from 1. */
  readonly sequence: number;
  /** `session.started`, `command.ended`, `policy.changed`, … */
  readonly type: string;
  /** Empty for what belongs to no session. */
  readonly sessionId: string;
  readonly data: Json;
}

export interface SealedEntry {
  readonly entry: AuditEntry;
  /** The entry as it is hashed: one line of canonical JSON (RFC 8785). */
  readonly json: string;
  /** RFC 9162 section 2.1.1. */
  readonly leafHash: Buffer;
}

/** Names are written as the REST API writes them: `session_id`. */
export function seal(entry: AuditEntry): SealedEntry {
  const { sessionId, ...rest } = entry;
  const json = canonicalJson({ ...rest, session_id: sessionId });
  return { entry, json, leafHash: leafHash(Buffer.from(json)) };
}

/** The entry that was sealed. */
export function unseal(json: string): AuditEntry {
  const { session_id: sessionId, ...rest } = JSON.parse(json);
  return { ...rest, sessionId };
}
