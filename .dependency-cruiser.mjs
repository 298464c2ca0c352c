/** The import table of docs/architecture.md, enforced. */
const only = (name, from, allowed) => ({
  name,
  severity: "error",
  comment: `${from} may import only ${allowed.join(", ") || "nothing of ours"}`,
  from: { path: `^${from}/`, pathNot: "\\.spec\\.ts$|\\.contract\\.ts$" },
  to: { path: "^(libs|apps)/", pathNot: [`^${from}/`, ...allowed.map((a) => `^${a}/`)].join("|") },
});
const lib = (...names) => names.map((n) => `libs/${n}`);
const services = ["identity", "tokens", "policy", "approval", "audit"];

export default {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    ...["bytes", "commands", "contracts", "masking"].map((n) => only(`${n}-stands-alone`, `libs/${n}`, [])),
    only("protocols", "libs/protocols", lib("bytes", "commands")),
    only("sql", "libs/sql", lib("commands")),
    only("decisions", "libs/decisions", lib("commands", "masking")),
    only("tokens", "libs/tokens", lib("commands")),
    only("event-store", "libs/event-store", lib("bytes")),
    only("audit-log", "libs/audit-log", lib("bytes")),
    only("spool", "libs/spool", lib("bytes")),
    only("bus", "libs/bus", lib("contracts")),
    only("embedded", "libs/embedded", lib("bus", "contracts")),
    only("event-store-postgres", "libs/event-store-postgres", lib("event-store", "contracts", "bus")),
    {
      name: "only-tests-import-fixtures",
      severity: "error",
      from: { path: "^(libs|apps)/", pathNot: "\\.(spec|contract|fixture)\\.ts$|^apps/[^/]+/test/" },
      to: { path: "\\.fixture\\.ts$|^apps/[^/]+/test/" },
    },
    {
      name: "one-protocol-never-imports-another",
      severity: "error",
      from: { path: "^libs/protocols/src/([^/]+)/" },
      to: { path: "^libs/protocols/src/[^/]+/", pathNot: "^libs/protocols/src/$1/" },
    },
    {
      name: "domain-is-pure",
      severity: "error",
      from: { path: "^apps/[^/]+/src/domain/", pathNot: "\\.spec\\.ts$" },
      to: { path: "^libs/|^node_modules/", pathNot: "^libs/event-store/" },
    },
    {
      name: "pure-zones-know-no-runtime",
      severity: "error",
      from: {
        path: "^libs/(bytes|commands|protocols|decisions|masking|audit-log|event-store|tokens)/|^apps/[^/]+/src/domain/",
        pathNot: "\\.(spec|contract|fixture)\\.ts$",
      },
      to: {
        path: "^(net|tls|fs|fs/promises|http|https|dgram|child_process|cluster|worker_threads|timers)$|node_modules/(@nestjs|typeorm|pg|@nats-io)/",
      },
    },
    ...[...services, "api", "enforcer", "cli"].map((app) => ({
      name: `${app}-imports-no-other-app`,
      severity: "error",
      from: { path: `^apps/${app}/`, pathNot: "\\.spec\\.ts$|^apps/[^/]+/test/" },
      to: { path: "^apps/", pathNot: `^apps/${app}/` },
    })),
    {
      name: "enforcer-stays-small",
      severity: "error",
      from: { path: "^apps/enforcer/", pathNot: "\\.spec\\.ts$" },
      to: { path: "node_modules/(@nestjs|typeorm)/|^libs/event-store" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^libs/contracts/src/generated/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      conditionNames: ["source", "import", "node", "default", "types"],
      exportsFields: ["exports"],
      extensions: [".ts", ".js", ".mjs", ".d.ts", ".json"],
    },
  },
};
