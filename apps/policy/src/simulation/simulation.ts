import type { MessageInitShape } from "@bufbuild/protobuf";
import { Inject, Injectable, type OnApplicationShutdown } from "@nestjs/common";
import { DataSource } from "typeorm";
import type { Principal, SessionFacts } from "#commands";
import type { policyV1 } from "#contracts";
import { CATALOG_QUERIES, type Catalog, type CatalogRows, catalogFromRows, createUnderstander } from "#sql";
import { BundleMaker } from "../bundles/bundle-maker.js";
import { Declarations } from "../projections/declarations.js";
import { shownMasks } from "./shown-masks.js";
import { standInCatalog } from "./stand-in-catalog.js";

const SEARCH_PATH = ["public"];
const MAX_STATEMENT = 100_000;

type Simulated = MessageInitShape<typeof policyV1.SimulateResponseSchema>;

/** Tells verdicts by the newest bundle without a session. */
@Injectable()
export class Simulation implements OnApplicationShutdown {
  readonly #understander = createUnderstander({ maxLength: MAX_STATEMENT, cacheBytes: 1 << 20 });
  #system: Promise<Catalog> | null = null;

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Declarations) private readonly declarations: Declarations,
    @Inject(BundleMaker) private readonly maker: BundleMaker,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.#understander.close();
  }

  /** @throws Refused not_found for a resource there is not. */
  async authorizeConnect(
    principal: Principal,
    resource: string,
  ): Promise<MessageInitShape<typeof policyV1.AuthorizeConnectResponseSchema>> {
    const { definition } = await this.declarations.get("resource", resource);
    return this.maker.decide(definition.group, (decider) => {
      const verdict = decider.connect(sessionOf(principal, resource), Date.now());
      return verdict.kind === "deny"
        ? { allowed: false, reason: `${verdict.reason} ${verdict.advice}` }
        : { allowed: true };
    });
  }

  /** @throws Refused not_found for a resource there is not. */
  async simulate(principal: Principal, resource: string, statement: string): Promise<Simulated> {
    const { definition } = await this.declarations.get("resource", resource);
    const system = await this.#systemCatalog();
    const session = sessionOf(principal, resource);
    const { bundle } = await this.maker.current(definition.group);
    const standIn = standInCatalog(statement, resource, bundle.labels, system);
    const understanding = await this.#understander.understand(statement, {
      catalog: standIn.catalog,
      searchPath: SEARCH_PATH,
    });
    const { operations, uses, statements, problems, unknownNames } = understanding;
    const caveats = caveatsOf(
      standIn.supposed(),
      unknownNames,
      statements.some(({ session: effects }) => effects.some(({ kind }) => kind === "executes" || kind === "fetches")),
    );
    if (problems.length > 0) {
      return {
        verdict: "deny",
        reason: `The statement is not understood: ${problems.join("; ")}.`,
        epoch: BigInt(bundle.epoch),
        caveats,
      };
    }
    return this.maker.decide(definition.group, (decider, { labels }): Simulated => {
      const verdict = decider.decide({ operations, uses, statementCount: statements.length }, session, Date.now());
      const decided = {
        policies: [...verdict.policies],
        epoch: BigInt(verdict.epoch),
        actions: [...new Set(operations.map(({ action }) => action))],
        uses: [...verdict.uses],
        caveats,
      };
      if (verdict.kind === "deny")
        return { ...decided, verdict: "deny", reason: `${verdict.reason} ${verdict.advice}` };
      const outputs = statements.flatMap(({ outputs, bulk }) => [...(outputs ?? []), ...(bulk ?? [])]);
      const masks = shownMasks(outputs, resource, labels, verdict.masked).map((mask) => ({
        ...mask,
        labels: [...mask.labels],
      }));
      if (verdict.kind === "allow") return { ...decided, verdict: "allow", masks };
      const { approvers, quorum, reason } = verdict;
      return { ...decided, verdict: "hold", masks, approvers, quorum, reason };
    });
  }

  /** PostgreSQL's own names, from the control plane's database; what else is in there is nobody's business. */
  #systemCatalog(): Promise<Catalog> {
    this.#system ??= this.#loadSystemCatalog().catch((error) => {
      this.#system = null;
      throw error;
    });
    return this.#system;
  }

  async #loadSystemCatalog(): Promise<Catalog> {
    const rows = {} as { -readonly [K in keyof CatalogRows]: CatalogRows[K] };
    for (const [name, query] of Object.entries(CATALOG_QUERIES)) {
      rows[name as keyof CatalogRows] = await this.dataSource.query(query);
    }
    const isSystem = ({ schema }: { schema: string }) => ["pg_catalog", "information_schema"].includes(schema);
    const relations = rows.relations.filter(isSystem);
    const kept = new Set(relations.map(({ oid }) => oid));
    return catalogFromRows("system", {
      ...rows,
      relations,
      columns: rows.columns.filter(({ relation }) => kept.has(relation)),
      inheritance: [],
      functions: rows.functions.filter(isSystem),
      operators: [],
    });
  }
}

const sessionOf = (principal: Principal, resource: string): SessionFacts => ({
  principal,
  resource,
  scope: [],
  clientAddress: "",
});

function caveatsOf(supposed: readonly string[], unknown: readonly string[], byName: boolean): string[] {
  return [
    "A session's token can narrow this with its scope; the client's address is not known here, and the time is now.",
    ...(supposed.length > 0
      ? [
          `Taken for plain tables, with search_path public: ${supposed.join(", ")}. Behind a view, a rule or an inherited ` +
            "table other tables would count too.",
        ]
      : []),
    ...(unknown.length > 0 ? [`Not known without the resource's catalog: ${unknown.join(", ")}.`] : []),
    ...(byName ? ["What a prepared statement or a cursor does is known only in its session."] : []),
  ];
}
