import type { Constraint, Node, RangeVar } from "libpg-query";
import { fillsDomain } from "./alterations.js";
import type { Analysis } from "./analysis.js";
import type { Relation } from "./catalog.js";
import { condition } from "./conditions.js";
import { as, type NodeFields, strings } from "./parser/ast.js";
import { relationRow } from "./relations.js";
import { columnOf, inside, ROOT, type Scope } from "./scope.js";
import { LEAK, NOTHING, type Row, type Trace, union, wholeRow } from "./trace.js";
import { FILTER, ORDER, type Use } from "./uses.js";

/**
 * DDL that looks at the rows that are there, or makes later writes look: whether it succeeds, or they do, tells of the
 * values.
 */

/** A table as its own constraints, indexes and policies see it. */
class Examined {
  readonly relation: Relation | null;
  readonly name: string;
  readonly row: Row;
  readonly scope: Scope;

  constructor(
    private readonly analysis: Analysis,
    range: RangeVar | undefined,
    added?: string,
  ) {
    const alias = range?.relname ?? "";
    ({ name: this.name, relation: this.relation } = analysis.names.relation(range?.schemaname, alias));
    const { columns, open } = relationRow(analysis, this.name, this.relation);
    this.row = { columns: added === undefined ? columns : [...columns, { name: added, trace: NOTHING }], open };
    // What triggers and policies call it.
    const items = [alias, "old", "new"].map((each) => ({ alias: each, schema: null, row: this.row }));
    this.scope = inside(ROOT, { items, row: this.row });
  }

  tests(clause: string, node: Node | undefined): void {
    this.analysis.inClause(clause, () => condition(this.analysis, node, this.scope));
  }

  notes(clause: string, use: Use, columns: readonly Trace[]): void {
    this.analysis.inClause(clause, () => this.analysis.notes(union(columns), use));
  }

  columns(nodes: readonly Node[] | undefined): Trace[] {
    return strings(nodes).map((name) => columnOf(this.row, name) ?? NOTHING);
  }

  elements(clause: string, nodes: readonly Node[] | undefined): Trace[] {
    return (nodes ?? []).map((node) => {
      const element = as("IndexElem", node) ?? {};
      if (element.name !== undefined) return columnOf(this.row, element.name) ?? NOTHING;
      return this.analysis.inClause(clause, () => this.analysis.expression(element.expr, this.scope));
    });
  }
}

export function indexes(analysis: Analysis, n: NodeFields<"IndexStmt">): void {
  const table = new Examined(analysis, n.relation);
  const clause = n.unique ? "CREATE UNIQUE INDEX" : "CREATE INDEX";
  const elements = table.elements(clause, n.indexParams);
  if (n.unique) table.notes(clause, ORDER.distinct, elements);
  table.tests(clause, n.whereClause);
}

/** Constraints, other types and other relatives. */
export function altersRows(analysis: Analysis, n: NodeFields<"AlterTableStmt">): void {
  for (const node of n.cmds ?? []) {
    const command = as("AlterTableCmd", node);
    const definition = as("ColumnDef", command?.def);
    const table = new Examined(analysis, n.relation, definition?.colname);
    const own = columnOf(table.row, command?.name ?? "") ?? NOTHING;
    const added = as("Constraint", command?.def);
    const inline = (definition?.constraints ?? []).flatMap((each) => as("Constraint", each) ?? []);
    for (const constraint of added ? [added] : inline) constrains(analysis, table, constraint);
    if (command?.subtype === "AT_AlterColumnType") table.notes("TYPE", FILTER.other, [own]);
    if (command?.subtype === "AT_SetNotNull") table.notes("SET NOT NULL", FILTER.presence, [own]);
    if (command?.subtype === "AT_AddInherit")
      inherits(analysis, table, new Examined(analysis, as("RangeVar", command.def)));
    if (command?.subtype === "AT_AttachPartition") {
      const part = new Examined(analysis, as("PartitionCmd", command.def)?.name);
      part.notes("ATTACH PARTITION", FILTER.range, [wholeRow(part.row)]);
      inherits(analysis, part, table);
    }
  }
}

/** The child's rows can be read through the parent from now on. */
function inherits(analysis: Analysis, child: Examined, parent: Examined): void {
  for (const { name, trace } of child.row.columns) analysis.stored(parent.name, parent.relation, name, trace);
  // One that is not known has been made in this transaction: what it holds has been decided on when it was stored.
  if (child.row.open) analysis.stored(parent.name, parent.relation, "*", { ...child.row.open, leaks: false });
}

function constrains(analysis: Analysis, table: Examined, n: Constraint): void {
  switch (n.contype) {
    case "CONSTR_CHECK":
      table.tests("CHECK", n.raw_expr);
      break;
    case "CONSTR_UNIQUE":
    case "CONSTR_PRIMARY":
      table.notes("UNIQUE", ORDER.distinct, table.columns(n.keys));
      break;
    case "CONSTR_EXCLUSION": {
      const elements = (n.exclusions ?? []).flatMap((pair) => as("List", pair)?.items?.[0] ?? []);
      table.notes("EXCLUDE", FILTER.other, table.elements("EXCLUDE", elements));
      table.tests("EXCLUDE", n.where_clause);
      break;
    }
    case "CONSTR_FOREIGN": {
      const other = new Examined(analysis, n.pktable);
      const unique = other.relation ? analysis.context.catalog.uniqueColumns(other.relation) : [];
      const keys = n.pk_attrs ? other.columns(n.pk_attrs) : [{ ...NOTHING, sources: new Set(unique) }];
      table.notes("REFERENCES", FILTER.join, [...table.columns(n.fk_attrs), ...keys]);
      break;
    }
  }
}

export function triggers(analysis: Analysis, n: NodeFields<"CreateTrigStmt">): void {
  new Examined(analysis, n.relation).tests("WHEN", n.whenClause);
}

export function restrictsRows(
  analysis: Analysis,
  n: Pick<NodeFields<"CreatePolicyStmt">, "table" | "qual" | "with_check">,
): void {
  const table = new Examined(analysis, n.table);
  table.tests("USING", n.qual);
  table.tests("WITH CHECK", n.with_check);
}

/** Every column of the domain is looked at, whichever tables have one. */
export function constrainsDomain(analysis: Analysis, n: NodeFields<"AlterDomainStmt">): void {
  if (n.subtype === "T") fillsDomain(analysis, n.typeName, n.def);
  if (n.subtype === "C") analysis.inClause("CHECK", () => analysis.notes(LEAK, FILTER.other));
}

export function clusters(analysis: Analysis, n: NodeFields<"ClusterStmt">): void {
  if (!n.relation) return;
  const table = new Examined(analysis, n.relation);
  table.notes("CLUSTER", ORDER.sort, [wholeRow(table.row)]);
}
