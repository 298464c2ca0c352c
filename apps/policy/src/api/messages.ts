import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Principal } from "#commands";
import { type modelV1, policyV1 } from "#contracts";
import { invalid } from "../domain/checks.js";
import type { LabelDefinition } from "../domain/label.js";
import type { PolicyDefinition } from "../domain/policy-document.js";
import type { ResourceDefinition } from "../domain/resource.js";
import type { Stored } from "../projections/declarations.js";

/** Between the bus's messages and what this service means by them. */

const { TlsMode, Durability, TargetSessionAttrs } = policyV1;
const TLS = { disable: TlsMode.DISABLE, require: TlsMode.REQUIRE, "verify-full": TlsMode.VERIFY_FULL } as const;
const TARGETS = {
  any: TargetSessionAttrs.ANY,
  "read-write": TargetSessionAttrs.READ_WRITE,
  "read-only": TargetSessionAttrs.READ_ONLY,
  primary: TargetSessionAttrs.PRIMARY,
  standby: TargetSessionAttrs.STANDBY,
  "prefer-standby": TargetSessionAttrs.PREFER_STANDBY,
} as const;
const READS = { os: Durability.OS, disk: Durability.DISK } as const;

export const versionOf = (precondition?: modelV1.Precondition): number | undefined =>
  precondition && Number(precondition.version);

export function resourceIn(message: policyV1.Resource | undefined): ResourceDefinition {
  const { name, protocol, group, upstream, credential, reads } = given("resource", message);
  const { username, password } = given("credential", credential);
  return {
    name,
    protocol,
    group,
    upstream: upstreamIn(given("upstream", upstream)),
    credential: { username, password },
    reads: nameIn(READS, reads) ?? "os",
  };
}

function upstreamIn(message: policyV1.Upstream): ResourceDefinition["upstream"] {
  const { host, port, hosts, database, tls, ca, targetSessionAttrs } = message;
  const target = nameIn(TARGETS, targetSessionAttrs);
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(hosts.length > 0 && { hosts: hosts.map((each) => ({ host: each.host, port: each.port })) }),
    database,
    // Where nothing is said, the safe mode.
    tls: nameIn(TLS, tls) ?? "verify-full",
    ca,
    ...(target && target !== "any" && { targetSessionAttrs: target }),
  };
}

export const resourceOut = ({
  definition: { upstream, reads, ...rest },
  version,
}: Stored<"resource">): MessageInitShape<typeof policyV1.ResourceSchema> => ({
  ...rest,
  upstream: {
    ...upstream,
    hosts: [...(upstream.hosts ?? [])],
    targetSessionAttrs: TARGETS[upstream.targetSessionAttrs ?? "any"],
    tls: TLS[upstream.tls],
  },
  reads: READS[reads],
  version: BigInt(version),
});

export function labelIn(message: policyV1.Label | undefined): LabelDefinition {
  const { name, description, columns, transform } = given("label", message);
  const { kind, options } = given("transform", transform);
  return {
    name,
    description,
    columns: columns.map(({ resource, schema, table, column }) => ({
      resource,
      schema: schema || "public",
      table,
      column,
    })),
    transform: { kind, options: Object.fromEntries(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))) },
  };
}

export const labelOut = ({ definition, version }: Stored<"label">): MessageInitShape<typeof policyV1.LabelSchema> => ({
  ...definition,
  columns: [...definition.columns],
  version: BigInt(version),
});

export function policyIn(message: policyV1.PolicyDocument | undefined): PolicyDefinition {
  const { name, description, text } = given("policy", message);
  return { name, description, text };
}

export const policyOut = ({
  definition,
  version,
}: Stored<"policy">): MessageInitShape<typeof policyV1.PolicyDocumentSchema> => ({
  ...definition,
  version: BigInt(version),
});

export function principalIn(message: modelV1.Principal | undefined): Principal {
  const { id, issuer, subject, name, groups, run, onBehalfOf } = given("principal", message);
  if (id === "") throw invalid("principal.id", "must not be empty");
  return { id, issuer, subject, name, groups, run, onBehalfOf };
}

function given<T>(field: string, message: T | undefined): T {
  if (message === undefined) throw invalid(field, "is missing");
  return message;
}

const nameIn = <T extends string>(names: Readonly<Record<T, number>>, value: number): T | undefined =>
  (Object.keys(names) as T[]).find((name) => names[name] === value);
