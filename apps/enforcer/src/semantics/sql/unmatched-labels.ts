import type { Bundle } from "#commands";
import type { Catalog } from "#sql";
import type { Log } from "../../log.js";
import type { Recorder } from "../../recorder/recorder.js";

/** Says once, for each policy and catalog, which labelled columns a resource does not have. */
export class UnmatchedLabels {
  readonly #checked = new Set<string>();

  constructor(
    private readonly recorder: Pick<Recorder, "record">,
    private readonly log: Pick<Log, "warn">,
  ) {}

  report({ epoch, labels }: Pick<Bundle, "epoch" | "labels">, resource: string, catalog: Catalog): void {
    const check = `${epoch} ${resource} ${catalog.version}`;
    if (this.#checked.has(check)) return;
    this.#checked.add(check);
    for (const { name: label, columns } of labels) {
      for (const { resource: of, schema, table, column } of columns) {
        if (of !== resource) continue;
        const relation = catalog.relation(schema || "public", table);
        if (relation?.columns.some(({ name }) => name === column)) continue;
        const unmatched = { resource, label, column: `${schema || "public"}.${table}.${column}` };
        this.log.warn(unmatched, "a label names a column that is not there, and so protects nothing");
        this.recorder.record("", "labelUnmatched", { ...unmatched, policyEpoch: BigInt(epoch) });
      }
    }
  }
}
