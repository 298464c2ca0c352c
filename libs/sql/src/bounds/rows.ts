import type { Node } from "libpg-query";
import type { ColumnRef } from "#commands";
import type { Analysis } from "../analysis.js";
import { fromClause } from "../from-clause.js";
import { as, everyNode, isPlace, type NodeFields, strings } from "../parser/ast.js";
import { inside, type Scope } from "../scope.js";
import { SYSTEM_COLUMNS } from "../system-names.js";
import type { Row, Trace } from "../trace.js";
import { type ColumnValue, columnValue } from "./column-values.js";
import type { Gap, LeftOut } from "./gaps.js";

/** The rows a condition is asked about: what in it is a column of theirs, and what is the same for all of them. */
export class Rows {
  constructor(
    readonly analysis: Analysis,
    private readonly scope: Scope,
    private readonly mark: ColumnRef,
    private readonly tables: ReadonlySet<string>,
    /** Whether a condition that never holds leaves all of them out. In EXISTS it leaves out the others' rows. */
    readonly countsNever = true,
  ) {}

  /** A column of the rows as it stands. */
  column = (node: Node): Trace | null => {
    if (!as("ColumnRef", node)) return null;
    const trace = this.trace(node);
    return trace.sources.has(this.mark) && trace.direct && trace.fields === null ? trace : null;
  };

  value(node: Node | undefined): ColumnValue | undefined {
    return columnValue(node, this.column);
  }

  /** Where values of the column are, under whatever name it goes. */
  gap({ sources }: Trace, gap: Gap): LeftOut {
    const columns = [...sources].filter((source) => source !== this.mark);
    return new Map(columns.map(({ schema, table, column }) => [`${schema}.${table}.${column}`, gap]));
  }

  /** Whether a value is the same whichever of the rows is looked at, and is not any row's of their table. */
  isIndependent(node: Node): boolean {
    let value: Trace | null = null;
    const looked = this.analysis.allReads(() => {
      value = this.trace(node);
    });
    return (
      ![looked, value!].some(({ sources }) => sources.has(this.mark)) &&
      !this.isOfEveryRow(value!) &&
      !this.atPlace(node)
    );
  }

  /** `=` a single value leaves out all rows but one, if it is the same for all. */
  isOneValue(node: Node): boolean {
    if (as("SubLink", node)?.subLinkType !== "EXPR_SUBLINK" || this.atPlace(node)) return false;
    return !this.analysis.allReads(() => void this.trace(node)).sources.has(this.mark);
  }

  /** Whether a value of a column makes it, so that it does not stand in the text. */
  isStored(node: Node): boolean {
    const { sources, leaks } = this.trace(node);
    return sources.size > 0 || leaks;
  }

  private isOfEveryRow({ sources, everyRow }: Trace): boolean {
    return everyRow && [...sources].some(({ schema, table }) => this.tables.has(`${schema}.${table}`));
  }

  /** Of a subquery that looks at none of the rows: which of its columns hold values of some rows only. */
  outputs(subselect: Node): readonly boolean[] {
    let row: Row | null = null;
    const looked = this.analysis.allReads(() => {
      row = this.analysis.query(subselect, this.scope);
    });
    const { columns, open } = row!;
    if (open || looked.sources.has(this.mark) || this.atPlace(subselect)) return [];
    return columns.map(({ trace }) => !trace.sources.has(this.mark) && !this.isOfEveryRow(trace));
  }

  /** The same rows as the WHERE of a subquery sees them. */
  within({ fromClause: from }: NodeFields<"SelectStmt">): Rows {
    const names = fromClause(this.analysis, from, this.scope);
    return new Rows(this.analysis, inside(this.scope, names), this.mark, this.tables, false);
  }

  isCte(name: string): boolean {
    for (let s: Scope | null = this.scope; s; s = s.outer) if (s.ctes.has(name)) return true;
    return false;
  }

  isNotNull({ base }: Trace): boolean {
    const { catalog } = this.analysis.context;
    for (let of = base; of; of = of.of ?? null) {
      const { table, column } = of;
      const dot = table.indexOf(".");
      const relation = catalog.relation(table.slice(0, dot), table.slice(dot + 1));
      if (relation?.columns.some((c) => c.name === column && c.notNull)) return true;
    }
    return false;
  }

  /** Whether it asks for the place of a row, which is as good as the row. */
  private atPlace(node: Node): boolean {
    return this.analysis.remembered(node, "place", () => {
      let found = false;
      everyNode(node, (kind, fields) => {
        if (kind !== "ColumnRef") return;
        found ||= SYSTEM_COLUMNS.has(strings((fields as NodeFields<"ColumnRef">).fields).at(-1) ?? "");
      });
      return found;
    });
  }

  private trace = (node: Node): Trace => this.analysis.expression(node, this.scope);
}

/** The same text for the same value, places left out. */
export const spelled = (...values: readonly unknown[]): string =>
  JSON.stringify(values, (key, value) => (isPlace(key) ? undefined : value));
