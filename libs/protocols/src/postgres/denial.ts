import type { Refusal, RefusalCode } from "#commands";
import { errorResponse, noticeResponse, parse, query } from "./encoder.js";
import type { Fields } from "./messages.js";

/**
 * How a refusal is said to a PostgreSQL client (manual, "PostgreSQL Error Codes"). Where a session goes on it is 42501
 * insufficient_privilege whatever the cause, so that tools treat it as final; a withdrawn hold is what Ctrl-C always is,
 * 57014 query_canceled.
 */
const SQLSTATE: Readonly<Record<RefusalCode, string>> = {
  unauthenticated: "28P01",
  denied: "42501",
  not_understood: "42501",
  approval_rejected: "42501",
  approval_expired: "42501",
  approval_withdrawn: "57014",
  unavailable: "57P03",
  revoked: "57P01",
  lease_ended: "57P01",
  malformed: "08P01",
  too_large: "54000",
  unsupported: "0A000",
};

export type Severity = "ERROR" | "FATAL";

export const sqlState = (refusal: Refusal): string => refusal.native?.code ?? SQLSTATE[refusal.code];

function fieldsOf(severity: string, code: string, refusal: Omit<Refusal, "code">): Fields {
  const fields = new Map([
    ["S", severity],
    ["V", severity],
    ["C", code],
    ["M", refusal.message],
  ]);
  if (refusal.detail) fields.set("D", refusal.detail);
  if (refusal.hint) fields.set("H", refusal.hint);
  if (refusal.native?.position) fields.set("P", String(refusal.native.position));
  return fields;
}

export const refusalResponse = (refusal: Refusal, severity: Severity, code = sqlState(refusal)): Buffer =>
  errorResponse(fieldsOf(severity, code, refusal));

/** 08006 connection_failure: drivers give the connection up and pools retry with a new one. */
export const goodbyeResponse = (refusal: Refusal): Buffer =>
  refusalResponse(refusal, "FATAL", refusal.code === "unavailable" ? "08006" : sqlState(refusal));

export const notice = (message: string, detail: string, hint: string): Buffer =>
  noticeResponse(fieldsOf("NOTICE", "00000", { message, detail, hint }));

/**
 * What goes upstream in a refused message's place. It is no SQL, so the server's raw parser refuses it before anything
 * else happens, also in a failed transaction; the server then aborts the transaction or skips to Sync as it would for
 * any failed statement, and its answer is replaced by the refusal. The statement's name is not the unnamed one: a
 * failed Parse would drop that.
 */
const POISON = "counterfoil: refused";
export const POISON_QUERY: Uint8Array = query(POISON);
export const POISON_PARSE: Uint8Array = parse("counterfoil_refused", POISON);
