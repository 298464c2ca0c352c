import { type Bundle, type MaskedLabel, type Operation, type ResourcePart, SQL_ACTIONS, type Verdict } from "#commands";
import type { Catalog } from "#sql";
import type { Terms } from "../semantics.js";
import type { UnderstoodSql } from "./interpreter.js";
import { MaskPlanner } from "./mask-planner.js";
import type { ResourceCatalogs } from "./resource-catalogs.js";
import { commandLimit, unlimitable } from "./row-limits.js";
import { isTransactional } from "./transactional.js";

const PLAIN_READS: ReadonlySet<string> = new Set([...SQL_ACTIONS["sql:read"], ...SQL_ACTIONS["sql:session"]]);
const NOTHING: readonly MaskedLabel[] = [];

export interface SqlTerms extends Terms {
  /** The end of its transaction takes back all it does. */
  readonly transactional: boolean;
}

interface Known<Value> {
  readonly bundle: Bundle;
  readonly catalog: Catalog;
  readonly value: Value;
}

/** What verdicts come to for the commands of a node's sessions: worked out once for all to whom it is the same. */
export class TermsOfVerdicts {
  /** Deciders give the same list to all sessions to whom the same is hidden of a resource. */
  readonly #planners = new WeakMap<readonly MaskedLabel[], Known<MaskPlanner>>();
  /** By verdict, as one is of one session's facts and one command's operations; the last command of each. */
  readonly #terms = new WeakMap<Verdict, Known<SqlTerms> & { readonly understood: UnderstoodSql }>();

  constructor(
    private readonly catalogs: ResourceCatalogs,
    private readonly hashKey: Uint8Array,
  ) {}

  of(understood: UnderstoodSql, verdict: Verdict, bundle: Bundle, resource: ResourcePart): SqlTerms {
    const { catalog } = this.catalogs.current(resource)!;
    const known = this.#terms.get(verdict);
    if (known?.understood === understood && known.bundle === bundle && known.catalog === catalog) return known.value;
    const value = this.#make(understood, verdict, bundle, resource, catalog);
    this.#terms.set(verdict, { understood, bundle, catalog, value });
    return value;
  }

  #make(
    understood: UnderstoodSql,
    verdict: Verdict,
    bundle: Bundle,
    resource: ResourcePart,
    catalog: Catalog,
  ): SqlTerms {
    const rowLimit = verdict.kind === "deny" ? null : verdict.rowLimit;
    const masked = verdict.kind === "deny" ? NOTHING : verdict.masked;
    const planner = this.#planner(masked, bundle, resource, catalog);
    const reads = understood.operations.every(isRead);
    return {
      unlimitable: rowLimit && unlimitable(understood, rowLimit),
      limit: rowLimit && commandLimit(understood, rowLimit, reads),
      plan: planner.plan(understood),
      labelsMasked: planner.labelsOf(understood),
      reads,
      transactional: isTransactional(understood.operations, catalog),
    };
  }

  #planner(masked: readonly MaskedLabel[], bundle: Bundle, resource: ResourcePart, catalog: Catalog): MaskPlanner {
    const known = this.#planners.get(masked);
    if (known?.bundle === bundle && known.catalog === catalog) return known.value;
    const miss = () => void this.catalogs.refreshOnMiss(resource).catch(() => {});
    const value = new MaskPlanner(bundle, resource.name, masked, catalog, this.hashKey, miss);
    this.#planners.set(masked, { bundle, catalog, value });
    return value;
  }
}

const isRead = ({ action }: Operation) => PLAIN_READS.has(action);
