import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { identityV1, modelV1 } from "#contracts";
import { type Page, pageOf } from "#event-store-postgres";
import { invalid, NAME } from "../domain/checks.js";
import type { IssuerDefinition } from "../domain/issuer.js";
import type { StoredAdminKey } from "../projections/admin-keys.js";
import type { StoredEnforcer } from "../projections/enforcers.js";
import type { StoredIssuer } from "../projections/issuers.js";

export const versionOf = (precondition?: modelV1.Precondition): number | undefined =>
  precondition && Number(precondition.version);

/** A list's cursor is the id of its last item. */
export function idPageOf(request?: modelV1.PageRequest): Page {
  const page = pageOf(request);
  return { ...page, cursor: idOf(page.cursor, "page.cursor", true) };
}

/** A name or an id as it may stand in a stream's name or a query. */
export function idOf(text: string, field: string, mayBeEmpty = false): string {
  if ((mayBeEmpty && text === "") || /^[A-Za-z0-9_-]{1,64}$/.test(text)) return text;
  throw invalid(field, `${field} has at most 64 of a-z, A-Z, 0-9, _ and -`);
}

export function nameOf(text: string): string {
  if (NAME.test(text)) return text;
  throw invalid("name", "name must begin with a letter and have at most 63 of a-z, 0-9, _ and -");
}

export function issuerIn(message?: identityV1.Issuer): IssuerDefinition {
  if (!message) throw invalid("issuer", "issuer is missing");
  const { subject = "", name = "", groups = "", run = "", onBehalfOf = "" } = message.claims ?? {};
  return {
    name: nameOf(message.name),
    url: message.url,
    jwksUri: message.jwksUri,
    audiences: message.audiences,
    algorithms: message.algorithms,
    claims: { subject, name, groups, run, onBehalfOf },
    requiredClaims: sorted(message.requiredClaims),
    groups: message.groups,
    exchangeOnce: message.exchangeOnce,
  };
}

export function issuerOut({ definition, version }: StoredIssuer) {
  return {
    ...definition,
    audiences: [...definition.audiences],
    algorithms: [...definition.algorithms],
    groups: [...definition.groups],
    requiredClaims: { ...definition.requiredClaims },
    version: BigInt(version),
  };
}

export function adminKeyOut(key: StoredAdminKey) {
  return {
    id: key.id,
    name: key.name,
    roles: [...key.roles],
    createdAt: timestampFromDate(key.createdAt),
    ...whenSet("revokedAt", key.revokedAt),
    version: BigInt(key.version),
  };
}

export function enforcerOut(enforcer: StoredEnforcer) {
  const { id, name, group, listeners, softwareVersion, removed } = enforcer;
  return {
    id,
    name,
    group,
    listeners: [...listeners],
    softwareVersion,
    removed,
    ...whenSet("seenAt", enforcer.seenAt),
    version: BigInt(enforcer.version),
  };
}

const whenSet = <K extends string>(key: K, date: Date | null): { [P in K]?: Timestamp } =>
  (date ? { [key]: timestampFromDate(date) } : {}) as { [P in K]?: Timestamp };

/** A map's order is not part of what was said. */
const sorted = (map: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
