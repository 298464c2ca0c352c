import type { Node, OnConflictClause, RangeVar, ReturningClause } from "libpg-query";
import type { SqlAction } from "#commands";
import type { Analysis } from "./analysis.js";
import { bounds } from "./bounds/where.js";
import type { Reference, Relation } from "./catalog.js";
import { isConstant } from "./comparisons.js";
import { condition } from "./conditions.js";
import { fromClause, fromItem, target } from "./from-clause.js";
import { as, must, type NodeKind, NotUnderstood } from "./parser/ast.js";
import { cascades, runsOnWrite } from "./relations.js";
import { insertedRows } from "./row-limit.js";
import { beside, columnOf, inside, type Names, type Scope } from "./scope.js";
import { targetList, where, withClause } from "./select.js";
import { derived, each, NOTHING, narrowed, type Row, type Trace, union, wholeRow } from "./trace.js";
import { FILTER } from "./uses.js";

export interface Write {
  readonly action: SqlAction;
  /** What it returns; its effects are noted on the way. */
  analyse(analysis: Analysis, node: Node, scope: Scope): Row;
}

/** Statements that write rows and may return them. */
export const WRITES: { readonly [K in NodeKind]?: Write } = {
  InsertStmt: { action: "sql:insert", analyse: insert },
  UpdateStmt: { action: "sql:update", analyse: update },
  DeleteStmt: { action: "sql:delete", analyse: remove },
  MergeStmt: { action: "sql:merge", analyse: merge },
};

const NO_ROW: Row = { columns: [], open: null };

/** The table written to, and what has been assigned to its columns so far. */
class Target {
  readonly names: Names;
  readonly table: string;
  private readonly relation: Relation | null;
  private readonly row: Row;
  private readonly alias: string;
  private readonly assigned = new Map<string, Trace>();

  constructor(
    private readonly analysis: Analysis,
    relation: RangeVar | undefined,
  ) {
    const found = target(analysis, relation);
    const { name, row, names } = found;
    this.relation = found.relation;
    this.table = name;
    this.row = row;
    this.names = names;
    this.alias = names.items[0]?.alias ?? "";
  }

  /** The columns an INSERT without a list means. */
  get columns(): string[] {
    return this.row.columns.map((c) => c.name);
  }

  assign(column: string, value: Trace): void {
    this.analysis.effects.columnsWritten.add(`${this.table}.${column}`);
    const before = this.assigned.get(column);
    this.assigned.set(column, before ? union([before, value]) : value);
    this.analysis.stored(this.table, this.relation, column, value);
  }

  /** SET a = x, (b, c) = (…), and the target lists of INSERT and MERGE's UPDATE. */
  set(nodes: readonly Node[] | undefined, scope: Scope): void {
    this.analysis.inClause("SET", () => {
      for (const node of nodes ?? []) {
        const { name, indirection, val } = must("ResTarget", node);
        for (const at of this.analysis.expressions(indirection, scope)) this.analysis.notes(at, FILTER.other, "[]");
        const multi = as("MultiAssignRef", val);
        this.assign(
          name ?? "*",
          multi ? this.nth(multi.source, multi.colno ?? 1, scope) : this.analysis.expression(val, scope),
        );
      }
    });
  }

  /** Rows that follow by foreign keys, now that it is known which columns are set. */
  cascade(): void {
    if (!this.relation) return;
    const set = ({ onUpdate, columns }: Reference) => onUpdate && columns.some((column) => this.assigned.has(column));
    cascades(this.analysis, this.relation, set);
  }

  private nth(source: Node | undefined, position: number, scope: Scope): Trace {
    const value = this.analysis.expression(source, scope);
    return value.fields?.[position - 1]?.trace ?? value;
  }

  /** What a row shows after the write: what was there, or what was assigned. */
  private after(): Row {
    const shown = (name: string, own: Trace): Trace => {
      const value = this.assigned.get(name);
      if (!value || (value.sources.size === 0 && !value.leaks)) return own;
      return { ...union([own, value]), typeOid: own.typeOid, base: null };
    };
    return {
      columns: this.row.columns.map((c) => ({ name: c.name, trace: shown(c.name, c.trace) })),
      open: this.row.open && union([this.row.open, ...this.assigned.values()]),
    };
  }

  /** What a rule or a trigger does instead may return anything. */
  private returned(): Row {
    const { relation } = this;
    const instead = relation && (relation.rules || (relation.kind === "view" && relation.triggers.length > 0));
    const row = this.after();
    return instead ? each(row, (trace) => ({ ...trace, direct: false, leaks: true })) : row;
  }

  /** What an ON CONFLICT's `excluded` holds: what was to be inserted. */
  excluded(): Names {
    const row = derived(this.after());
    return { items: [{ alias: "excluded", schema: null, row }], row: NO_ROW };
  }

  /** `others` are the tables besides; MERGE names them first. */
  returning(clause: ReturningClause | undefined, scope: Scope, others: Names | null, othersFirst = false): Row {
    if (!clause?.exprs) return NO_ROW;
    const row = narrowed(this.returned());
    const own: Names = { items: this.names.items.map((item) => ({ ...item, row })), row };
    const versions = { old: "old", new: "new" };
    for (const node of clause.options ?? []) {
      const option = must("ReturningOption", node);
      versions[option.option === "RETURNING_OPTION_OLD" ? "old" : "new"] = option.value ?? "";
    }
    const both = !others ? own : othersFirst ? beside(others, own) : beside(own, others);
    const aliased = [versions.old, versions.new].map((alias) => ({ alias, schema: null, row, stored: true }));
    const names: Names = { items: [...both.items, ...aliased], row: both.row };
    const { exprs } = clause;
    return this.analysis.inClause("RETURNING", () => targetList(this.analysis, exprs, inside(scope, names), names));
  }

  conflict(clause: OnConflictClause | undefined, outer: Scope, { few, spelled }: Inserted): void {
    if (!clause) return;
    const scope = inside(outer, beside(this.names, this.excluded()));
    this.analysis.inClause("ON CONFLICT", () => this.asksFor(clause, scope, spelled));
    this.set(clause.targetList, scope);
    if (clause.targetList) {
      this.cascade();
      if (this.relation) runsOnWrite(this.analysis, this.relation, ["update"]);
    }
    where(this.analysis, clause.whereClause, scope);
    if (clause.action !== "ONCONFLICT_UPDATE") return;
    this.analysis.effects.writesToo("sql:update", few || bounds(this.analysis, clause.whereClause, scope, this.names));
  }

  /** Whether the table has a row with these values already decides what becomes of the new one. */
  private asksFor({ infer }: OnConflictClause, scope: Scope, spelled: boolean): void {
    const elements = (infer?.indexElems ?? []).map((node) => must("IndexElem", node));
    const keys = elements.map(({ name, expr }) =>
      name ? columnOf(this.row, name) : this.analysis.expression(expr, scope),
    );
    const any = this.relation ? this.analysis.context.catalog.uniqueColumns(this.relation) : [];
    const anyTrace = { ...NOTHING, sources: new Set(any) };
    // What is computed tries a dictionary in one statement.
    const use = spelled ? FILTER.equality : FILTER.join;
    for (const key of elements.length > 0 ? keys : [anyTrace]) if (key) this.analysis.notes(key, use);
    condition(this.analysis, infer?.whereClause, scope);
  }
}

function insert(analysis: Analysis, node: Node, outer: Scope): Row {
  const n = must("InsertStmt", node);
  const scope = n.withClause ? withClause(analysis, n.withClause, outer) : outer;
  const into = new Target(analysis, n.relation);
  analysis.effects.rowLimit = insertedRows(n.selectStmt);
  const listed = (n.cols ?? []).map((col) => must("ResTarget", col).name ?? "*");
  const columns = listed.length > 0 ? listed : into.columns;
  const read = new Set(analysis.effects.tablesRead);
  const given = n.selectStmt ? analysis.query(n.selectStmt, scope) : NO_ROW;
  for (const [i, column] of given.columns.entries()) into.assign(columns[i] ?? "*", column.trace);
  if (given.open) for (const column of columns.length > 0 ? columns : ["*"]) into.assign(column, wholeRow(given));
  const reads = [...analysis.effects.tablesRead].some((table) => !read.has(table));
  into.conflict(n.onConflictClause, scope, {
    few: insertedRows(n.selectStmt) !== null || isFew(given, reads),
    spelled: isSpelled(analysis, n.selectStmt),
  });
  return into.returning(n.returningClause, scope, null);
}

/** Of the rows that are there to be inserted, and so to be updated instead. */
interface Inserted {
  readonly few: boolean;
  /** The text spells their values out. */
  readonly spelled: boolean;
}

function isSpelled(analysis: Analysis, node: Node | undefined): boolean {
  const select = node && as("SelectStmt", node);
  if (!select) return true;
  const values = select.valuesLists ?? [];
  return values.length > 0 && values.every((row) => isConstant(analysis, row));
}

/** Whether rows are the text's own, or such of tables as a condition leaves over. */
function isFew({ columns, open }: Row, reads: boolean): boolean {
  const traces = [...columns.map(({ trace }) => trace), ...(open ? [open] : [])];
  if (traces.some(({ everyRow }) => everyRow)) return false;
  return !reads || traces.some(({ sources }) => sources.size > 0);
}

function update(analysis: Analysis, node: Node, outer: Scope): Row {
  const n = must("UpdateStmt", node);
  const scope = n.withClause ? withClause(analysis, n.withClause, outer) : outer;
  const on = new Target(analysis, n.relation);
  const others = fromClause(analysis, n.fromClause, scope, on.names);
  const own = inside(scope, beside(on.names, others));
  on.set(n.targetList, own);
  on.cascade();
  where(analysis, n.whereClause, own);
  noteTargetReads(analysis, on.table);
  analysis.effects.bounded = bounds(analysis, n.whereClause, own, on.names);
  return on.returning(n.returningClause, scope, others);
}

function remove(analysis: Analysis, node: Node, outer: Scope): Row {
  const n = must("DeleteStmt", node);
  const scope = n.withClause ? withClause(analysis, n.withClause, outer) : outer;
  const on = new Target(analysis, n.relation);
  const others = fromClause(analysis, n.usingClause, scope, on.names);
  const own = inside(scope, beside(on.names, others));
  where(analysis, n.whereClause, own);
  noteTargetReads(analysis, on.table);
  analysis.effects.bounded = bounds(analysis, n.whereClause, own, on.names);
  return on.returning(n.returningClause, scope, others);
}

function merge(analysis: Analysis, node: Node, outer: Scope): Row {
  const n = must("MergeStmt", node);
  const scope = n.withClause ? withClause(analysis, n.withClause, outer) : outer;
  const on = new Target(analysis, n.relation);
  const source = fromItem(analysis, n.sourceRelation, scope, on.names);
  const own = inside(scope, beside(on.names, source));
  analysis.inClause("ON", () => condition(analysis, n.joinCondition, own));
  const joined = bounds(analysis, n.joinCondition, own, on.names);
  for (const clause of n.mergeWhenClauses ?? []) {
    const when = must("MergeWhenClause", clause);
    analysis.inClause("WHEN", () => condition(analysis, when.condition, own));
    if (when.commandType === "CMD_INSERT") mergeInsert(analysis, on, when.targetList, when.values, own);
    else if (when.commandType === "CMD_UPDATE") on.set(when.targetList, own);
    else if (when.commandType !== "CMD_DELETE" && when.commandType !== "CMD_NOTHING") {
      throw new NotUnderstood(`MERGE … THEN ${when.commandType} is not known`);
    }
    if (when.commandType === "CMD_INSERT") analysis.effects.writesToo("sql:insert", true);
    if (when.commandType !== "CMD_UPDATE" && when.commandType !== "CMD_DELETE") continue;
    // What has no match is every other row of the table, whatever the join says.
    const limited = when.matchKind === "MERGE_WHEN_NOT_MATCHED_BY_SOURCE" ? false : joined;
    const bounded = limited || bounds(analysis, when.condition, own, on.names);
    analysis.effects.writesToo(when.commandType === "CMD_UPDATE" ? "sql:update" : "sql:delete", bounded);
  }
  on.cascade();
  noteTargetReads(analysis, on.table);
  analysis.effects.bounded = [...analysis.effects.writes.values()].every(Boolean);
  return on.returning(n.returningClause, scope, source, true);
}

function mergeInsert(
  analysis: Analysis,
  into: Target,
  targets: readonly Node[] | undefined,
  values: readonly Node[] | undefined,
  scope: Scope,
): void {
  const listed = (targets ?? []).map((node) => must("ResTarget", node).name ?? "*");
  const columns = listed.length > 0 ? listed : into.columns;
  analysis.inClause("VALUES", () => {
    for (const [i, value] of (values ?? []).entries())
      into.assign(columns[i] ?? "*", analysis.expression(value, scope));
  });
}

/** A write that looks at its own table's columns reads it too. */
function noteTargetReads(analysis: Analysis, table: string): void {
  const { columnsRead, tablesRead } = analysis.effects;
  for (const column of columnsRead) {
    if (column.startsWith(`${table}.`)) {
      tablesRead.add(table);
      return;
    }
  }
}
