import type { Node, PartitionBoundSpec } from "libpg-query";
import type { Analysis } from "./analysis.js";
import type { Relation } from "./catalog.js";
import { condition } from "./conditions.js";
import { as, type NodeFields, strings } from "./parser/ast.js";
import { relationRow } from "./relations.js";
import { inside, ROOT, type Scope } from "./scope.js";
import { LEAK, NOTHING, type Trace, union, wholeRow } from "./trace.js";

/**
 * Statements that leave values where they are and change what they are called, or compute columns from others: what was
 * known by one name can then be read by another, as if it had been copied there.
 */

const MOVED: ReadonlySet<string> = new Set(["OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"]);

export function renames(analysis: Analysis, n: NodeFields<"RenameStmt">): void {
  const to = n.newname ?? "";
  if (n.renameType === "OBJECT_SCHEMA") analysis.stored(`${to}.*`, null, "*", LEAK);
  if (!n.relation) return;
  const { relation } = analysis.names.relation(n.relation.schemaname, n.relation.relname ?? "");
  if (n.renameType === "OBJECT_COLUMN") {
    const table = relation ? `${relation.schema}.${relation.name}` : (n.relation.relname ?? "");
    const column = relation?.columns.find(({ name }) => name === n.subname);
    const trace = column && relation ? of(analysis, relation, column.name) : LEAK;
    analysis.stored(table, relation, to, trace);
  } else if (MOVED.has(n.renameType ?? "")) moves(analysis, relation, relation?.schema ?? "", to);
}

export function changesSchema(analysis: Analysis, n: NodeFields<"AlterObjectSchemaStmt">): void {
  if (!n.relation || !MOVED.has(n.objectType ?? "")) return;
  const { relation } = analysis.names.relation(n.relation.schemaname, n.relation.relname ?? "");
  moves(analysis, relation, n.newschema ?? "", n.relation.relname ?? "");
}

/** ALTER TABLE … TYPE … USING, … GENERATED ALWAYS AS, and leaving the parent whose labels are also its own. */
export function altersColumns(analysis: Analysis, n: NodeFields<"AlterTableStmt">): void {
  const { relname = "", schemaname } = n.relation ?? {};
  const { name, relation } = analysis.names.relation(schemaname, relname);
  const row = relationRow(analysis, name, relation);
  const scope = inside(ROOT, { items: [{ alias: relname, schema: null, row }], row });
  const computes = (column: string, expression: Node | undefined) => {
    if (expression) fills(analysis, { name, relation, column }, expression, scope);
  };
  for (const node of n.cmds ?? []) {
    const command = as("AlterTableCmd", node);
    const definition = as("ColumnDef", command?.def);
    if (command?.subtype === "AT_AlterColumnType") computes(command.name ?? "*", definition?.raw_default);
    if (command?.subtype === "AT_SetExpression") computes(command.name ?? "*", command.def);
    if (command?.subtype === "AT_AttachPartition")
      boundsPartition(analysis, name, as("PartitionCmd", command.def)?.bound);
    if (command?.subtype === "AT_ColumnDefault") computes(command.name ?? "*", command.def);
    if (command?.subtype === "AT_GenericOptions") {
      analysis.stored(name, relation, "*", LEAK);
      analysis.effects.extra("sql:system", name);
    }
    for (const value of valuesOf(definition?.constraints)) computes(definition?.colname ?? "*", value);
    if (command?.subtype === "AT_DropInherit" || command?.subtype === "AT_DetachPartition") {
      const trace = { ...wholeRow(row), direct: false };
      analysis.stored(name, relation, "*", trace);
    }
  }
}

/** What columns of a new table are filled with, and what is asked when they are. @param name the table's, with its schema */
export function makesColumns(analysis: Analysis, name: string, elements: readonly Node[] | undefined): void {
  const definitions = (elements ?? []).flatMap((node) => as("ColumnDef", node) ?? []);
  const columns = definitions.map(({ colname = "" }) => ({ name: colname, trace: NOTHING }));
  // More may come from other tables, none of whose values these are.
  const scope = inside(ROOT, { items: [], row: { columns, open: NOTHING } });
  const tests = (constraints: readonly Node[] | undefined) => {
    for (const check of checksOf(constraints)) analysis.inClause("CHECK", () => condition(analysis, check, scope));
  };
  tests(elements);
  for (const { colname = "*", constraints } of definitions) {
    tests(constraints);
    for (const value of valuesOf(constraints)) fills(analysis, { name, relation: null, column: colname }, value, scope);
  }
}

interface Filled {
  readonly name: string;
  readonly relation: Relation | null;
  readonly column: string;
}

function fills(analysis: Analysis, { name, relation, column }: Filled, value: Node, scope: Scope): void {
  const trace = analysis.inClause("DEFAULT", () => analysis.expression(value, scope));
  analysis.stored(name, relation, column, trace);
}

/** What a partition's bounds are computed of, whoever looks at the schema can read. */
export function boundsPartition(analysis: Analysis, table: string, bounds: PartitionBoundSpec | undefined): void {
  const { listdatums = [], lowerdatums = [], upperdatums = [] } = bounds ?? {};
  // MINVALUE and MAXVALUE are names here.
  const values = analysis.expressions([...listdatums, ...lowerdatums, ...upperdatums], ROOT);
  if (values.length > 0) analysis.given(`${table}'s bounds`, { name: "*", trace: union(values) });
}

/** The same of a domain, whose values are in any column of it. */
export function makesDomain(analysis: Analysis, { domainname, constraints }: NodeFields<"CreateDomainStmt">): void {
  for (const check of checksOf(constraints)) analysis.inClause("CHECK", () => condition(analysis, check, ROOT));
  for (const value of valuesOf(constraints)) fillsDomain(analysis, domainname, value);
}

export function fillsDomain(analysis: Analysis, names: readonly Node[] | undefined, value: Node | undefined): void {
  if (value) analysis.given(strings(names).join("."), { name: "*", trace: analysis.expression(value, ROOT) });
}

const ofKinds = (constraints: readonly Node[] | undefined, ...kinds: readonly string[]): Node[] =>
  (constraints ?? []).flatMap((node) => {
    const { contype = "", raw_expr } = as("Constraint", node) ?? {};
    return raw_expr && kinds.includes(contype) ? [raw_expr] : [];
  });
const valuesOf = (constraints: readonly Node[] | undefined) =>
  ofKinds(constraints, "CONSTR_DEFAULT", "CONSTR_GENERATED");
const checksOf = (constraints: readonly Node[] | undefined) => ofKinds(constraints, "CONSTR_CHECK");

/** What a trigger or a rule does with a table's rows is not read: it may write any of them anywhere. */
export function intercepts(analysis: Analysis, relation: NodeFields<"CreateTrigStmt">["relation"], all: boolean): void {
  const { name, relation: table } = analysis.names.relation(relation?.schemaname, relation?.relname ?? "");
  const trace = all ? LEAK : wholeRow(relationRow(analysis, name, table));
  analysis.stored(name, table, "*", trace);
}

function moves(analysis: Analysis, relation: Relation | null, schema: string, table: string): void {
  const columns = relation?.columns.map(({ name }) => ({ name, trace: of(analysis, relation, name) }));
  for (const { name, trace } of columns ?? [{ name: "*", trace: LEAK }]) {
    analysis.stored(`${schema}.${table}`, null, name, trace);
  }
}

const of = (analysis: Analysis, relation: Relation, column: string): Trace =>
  relationRow(analysis, `${relation.schema}.${relation.name}`, relation).columns.find(({ name }) => name === column)
    ?.trace ?? LEAK;
