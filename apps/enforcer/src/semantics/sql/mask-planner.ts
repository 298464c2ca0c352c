import {
  type Bundle,
  type ColumnRef,
  type DescribedColumn,
  type Mask,
  type MaskedLabel,
  type MaskPlan,
  NOTHING_MASKED,
  type Operation,
} from "#commands";
import { combined, maskFor } from "#masking";
import type { Catalog, StatementFacts, TracedColumn } from "#sql";
import { LabelledColumns, type Labels } from "./labelled-columns.js";

/** What a command returns, with EXECUTE and FETCH resolved to what they stand for. */
export interface Returned {
  readonly operations: readonly Operation[];
  readonly statements: readonly Pick<StatementFacts, "outputs" | "bulk" | "bulkFormat">[];
  /** The text names things the catalog does not know. */
  readonly unknownNames: readonly string[];
}

const NO_LABELS: readonly string[] = [];

/** What runs code the text does not show: its messages can hold any value. */
const OPAQUE = new Set(["sql:do", "sql:call", "sql:function_write"]);

/**
 * Makes the mask plans of one resource, principal and policy epoch: lineage from the statement on one side, the table and
 * attribute of RowDescription on the other; a column is hidden if either says so, and where they do not fit together
 * everything is hidden whole.
 */
export class MaskPlanner {
  readonly #labelled: LabelledColumns;
  readonly #plans = new WeakMap<object, MaskPlan>();
  readonly #labels = new WeakMap<object, readonly string[]>();

  constructor(
    bundle: Bundle,
    resource: string,
    masked: readonly MaskedLabel[],
    private readonly catalog: Catalog,
    private readonly hashKey: Uint8Array,
    /** A described table is not in the catalog. */
    private readonly miss: () => void,
  ) {
    this.#labelled = new LabelledColumns(bundle, resource, catalog, masked);
  }

  /** Whether anything of the resource is hidden from this principal. */
  get active(): boolean {
    return !this.#labelled.none;
  }

  plan(returned: Returned): MaskPlan {
    if (!this.active) return NOTHING_MASKED;
    let plan = this.#plans.get(returned);
    if (!plan) {
      plan = this.#make(returned);
      this.#plans.set(returned, plan);
    }
    return plan;
  }

  /** The names of the labels a plan hides, as far as the statement tells before it runs. */
  labelsOf(returned: Returned): readonly string[] {
    if (!this.active) return NO_LABELS;
    let labels = this.#labels.get(returned);
    if (!labels) {
      const columns = returned.statements.flatMap(({ outputs, bulk }) => [...(outputs ?? []), ...(bulk ?? [])]);
      labels = [...new Set(columns.flatMap((column) => this.#tracedLabels(column).map(({ label }) => label)))].sort();
      this.#labels.set(returned, labels);
    }
    return labels;
  }

  #make(returned: Returned): MaskPlan {
    const scrubTexts = this.#touches(returned);
    const plans = returned.statements.map((statement) => this.#statementPlan(statement, scrubTexts));
    if (plans.length === 1) return plans[0]!;
    const first = plans[0] ?? this.#statementPlan({ outputs: null, bulk: null, bulkFormat: null }, scrubTexts);
    // A statement the text does not have is one that was not understood: everything of it is hidden.
    const unforeseen = this.#statementPlan({ outputs: null, bulk: [], bulkFormat: null }, scrubTexts);
    return { ...first, scrubTexts, statement: (position) => plans[position] ?? unforeseen };
  }

  #statementPlan({ outputs, bulk, bulkFormat }: Returned["statements"][number], scrubTexts: boolean): MaskPlan {
    // Where none is foreseen and some comes all the same, all of it is hidden.
    const masks = bulk?.map((column) => ({ mask: this.#tracedMask(column), oid: column.typeOid })) ?? [];
    return {
      columns: (described) => this.#columns(outputs, described),
      bulk: masks.length === 0 || masks.some(({ mask }) => mask) ? masks : null,
      ...(bulkFormat && { bulkFormat }),
      scrubTexts,
    };
  }

  #columns(outputs: readonly TracedColumn[] | null, described: readonly DescribedColumn[]): readonly (Mask | null)[] {
    if (outputs?.length !== described.length) return described.map(() => this.#whole());
    return described.map((column, index) => {
      const traced = outputs[index]!;
      if (traced.leaks) return this.#whole();
      const described = this.#describedLabels(column);
      if (!described) return this.#whole();
      const labels = [...new Set([...this.#tracedLabels(traced), ...described])];
      // The server also names a table and attribute where RETURNING shows what the statement has just computed.
      return this.#mask(labels, traced.direct && (column.type.oid !== CHAR || traced.typeOid === CHAR));
    });
  }

  /** By table and attribute; null where the catalog does not know the table. */
  #describedLabels({ tableOid, attribute }: DescribedColumn): Labels | null {
    if (tableOid === 0 || attribute <= 0) return [];
    const relation = this.catalog.relationByOid(tableOid);
    const column = relation?.columns.find(({ attnum }) => attnum === attribute);
    if (relation && column) return this.#labelled.ofRelation(relation, column.name);
    this.miss();
    return null;
  }

  #tracedLabels(column: TracedColumn): Labels {
    if (column.leaks) return this.#labelled.all;
    return [...new Set(column.sources.flatMap((source: ColumnRef) => this.#labelled.of(source)))];
  }

  #tracedMask(column: TracedColumn): Mask | null {
    return column.leaks ? this.#whole() : this.#mask(this.#tracedLabels(column), column.direct);
  }

  #whole(): Mask | null {
    return this.#mask(this.#labelled.all, false);
  }

  #mask(labels: Labels, direct: boolean): Mask | null {
    if (labels.length === 0) return null;
    return maskFor({
      transform: combined(labels.map(({ transform }) => transform)),
      labels: namesOf(labels),
      direct,
      hashKey: this.hashKey,
    });
  }

  /** Whether an error or a notice of the command could quote a labelled value. */
  #touches({ operations, statements, unknownNames }: Returned): boolean {
    // A DROP looks at no value: that there is nothing of the name can be said.
    const drops = operations.length > 0 && operations.every(({ action }) => action.startsWith("sql:drop_"));
    if (unknownNames.length > 0 && !drops) return true;
    if (statements.some(({ outputs, bulk }) => [...(outputs ?? []), ...(bulk ?? [])].some(({ leaks }) => leaks)))
      return true;
    return operations.some(
      ({ action, code, tablesRead, tablesWritten }) =>
        OPAQUE.has(action) ||
        // Code that was not read can raise a notice with any value.
        code.unread.length + code.triggers.length > 0 ||
        [...tablesRead, ...tablesWritten].some((table) => this.#labelled.touches(table)),
    );
  }
}

/** pg_type OID of `char(n)`, and of `bpchar` without a length, which the catalog knows for a text. */
const CHAR = 1042;

const namesOf = (labels: Labels): string[] => labels.map(({ label }) => label).sort();
