import {
  type Bundle,
  type ColumnUse,
  type LabelPart,
  NOTHING_TOUCHED,
  type Operation,
  type SessionFacts,
} from "#commands";

/** What the specs of this library decide about. */
export const bundleOf = (text: string, over: Partial<Bundle> = {}): Bundle => ({
  group: "edge",
  epoch: 7,
  leaseSeconds: 15,
  policies: text === "" ? [] : [{ name: "rules", text }],
  labels: [],
  resources: [resource("shop"), resource("other")],
  ...over,
});

export const CONNECT_ALL = 'permit(principal, action == Action::"connect", resource);\n';

const resource = (name: string) => ({
  name,
  protocol: "postgres",
  upstream: {
    hosts: [{ host: "127.0.0.1", port: 5432 }],
    targetSessionAttrs: "any" as const,
    database: "",
    tls: "disable" as const,
    ca: "",
  },
  credential: { username: "app", password: "env:SHOP_PASSWORD" },
  reads: "os" as const,
});

export const label = (name: string, on = "shop"): LabelPart => ({
  name,
  columns: [{ resource: on, schema: "public", table: "customers", column: "email" }],
  transform: { kind: "redact", options: {} },
});

export const session = (over: Partial<SessionFacts> = {}, groups: readonly string[] = ["ci"]): SessionFacts => ({
  principal: {
    id: "github|job-1",
    issuer: "github",
    subject: "job-1",
    name: "Job 1",
    groups,
    run: "run-1",
    onBehalfOf: ["ann"],
  },
  resource: "shop",
  scope: [],
  clientAddress: "127.0.0.1",
  ...over,
});

export const operation = (action: string, over: Partial<Operation> = {}): Operation => ({
  ...NOTHING_TOUCHED,
  action,
  ...over,
});

export const command = (...operations: readonly (string | Operation)[]) => ({
  operations: operations.map((given) => (typeof given === "string" ? operation(given) : given)),
  uses: [] as readonly ColumnUse[],
  statementCount: operations.length,
});
