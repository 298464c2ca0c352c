import type { Bundle, ColumnRef, MaskedLabel } from "#commands";
import type { Catalog, Relation } from "#sql";

/** A label with what it does to values. */
export type Labels = readonly MaskedLabel[];

/**
 * Which columns of a resource carry which of the labels a principal may not see. A label of a table is also one of its
 * partitions' and relatives', since their rows are the same.
 */
export class LabelledColumns {
  readonly #byTable = new Map<string, Map<string, MaskedLabel[]>>();
  /** Every label of the resource the principal may not see, for what could hold any of them. */
  readonly all: Labels;

  constructor(bundle: Bundle, resource: string, catalog: Catalog, masked: readonly MaskedLabel[]) {
    const byName = new Map(masked.map((each) => [each.label, each]));
    const present = new Set<MaskedLabel>();
    for (const label of bundle.labels) {
      const hidden = byName.get(label.name);
      if (!hidden) continue;
      for (const { resource: of, schema, table, column } of label.columns) {
        if (of !== resource) continue;
        present.add(hidden);
        this.#add(schema || "public", table, column, hidden);
        const relation = catalog.relation(schema || "public", table);
        for (const relative of relation?.family ?? []) this.#add(relative.schema, relative.name, column, hidden);
      }
    }
    this.all = [...present];
  }

  get none(): boolean {
    return this.all.length === 0;
  }

  of({ schema, table, column }: ColumnRef): Labels {
    const columns = this.#byTable.get(tableKey(schema, table));
    if (!columns) return [];
    return column === "*" ? [...new Set([...columns.values()].flat())] : (columns.get(column) ?? []);
  }

  ofRelation({ schema, name }: Relation, column: string): Labels {
    return this.#byTable.get(tableKey(schema, name))?.get(column) ?? [];
  }

  /** @param table `schema.table`, as operations name it. */
  touches(table: string): boolean {
    return this.#byTable.has(table);
  }

  #add(schema: string, table: string, column: string, label: MaskedLabel): void {
    const key = tableKey(schema, table);
    const columns = this.#byTable.get(key) ?? new Map<string, MaskedLabel[]>();
    this.#byTable.set(key, columns);
    const labels = columns.get(column) ?? [];
    if (labels.includes(label)) return;
    columns.set(column, [...labels, label]);
  }
}

const tableKey = (schema: string, table: string) => `${schema}.${table}`;
