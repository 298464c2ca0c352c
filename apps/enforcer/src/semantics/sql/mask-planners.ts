import type { Bundle, MaskedLabel, ResourcePart } from "#commands";
import type { Catalog } from "#sql";
import { MaskPlanner } from "./mask-planner.js";
import type { ResourceCatalogs } from "./resource-catalogs.js";

interface Known {
  readonly bundle: Bundle;
  readonly catalog: Catalog;
  readonly planner: MaskPlanner;
}

/** One planner for all sessions to whom the same is hidden: what it works out for a statement, it works out once. */
export class MaskPlanners {
  /** Deciders give the same list to all sessions to whom the same is hidden of a resource. */
  readonly #known = new WeakMap<readonly MaskedLabel[], Known>();

  constructor(
    private readonly catalogs: ResourceCatalogs,
    private readonly hashKey: Uint8Array,
  ) {}

  for(bundle: Bundle, resource: ResourcePart, masked: readonly MaskedLabel[], catalog: Catalog): MaskPlanner {
    const known = this.#known.get(masked);
    if (known?.bundle === bundle && known.catalog === catalog) return known.planner;
    const miss = () => void this.catalogs.refreshOnMiss(resource).catch(() => {});
    const planner = new MaskPlanner(bundle, resource.name, masked, catalog, this.hashKey, miss);
    this.#known.set(masked, { bundle, catalog, planner });
    return planner;
  }
}
