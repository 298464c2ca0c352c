import type { IntoClause, Node, RangeVar } from "libpg-query";
import { ANYWHERE, type SqlAction } from "#commands";
import {
  altersColumns,
  boundsPartition,
  changesSchema,
  intercepts,
  makesColumns,
  makesDomain,
  renames,
} from "./alterations.js";
import type { Analysis } from "./analysis.js";
import type { Relation } from "./catalog.js";
import { runBlock } from "./code-blocks.js";
import { copy, copyAction } from "./copy-statement.js";
import { explain } from "./explain-statement.js";
import {
  as,
  everyNode,
  kindOf,
  type NodeFields,
  type NodeKind,
  NotUnderstood,
  ruleFor,
  strings,
} from "./parser/ast.js";
import { query } from "./query.js";
import { cascades, readsRelation, writesRelation } from "./relations.js";
import { inner, NOTHING_BACK, outputs, type Returned, rows } from "./returned.js";
import { callsRoutines } from "./routine-calls.js";
import { rowLimit } from "./row-limit.js";
import { ROOT } from "./scope.js";
import { intoOf } from "./select-into.js";
import { plansBy, set } from "./set-statement.js";
import { ALTERS_TABLE, DROPS, STATEMENT_ACTIONS } from "./statement-actions.js";
import { altersRows, clusters, constrainsDomain, indexes, restrictsRows, triggers } from "./stored-rows.js";
import { LEAK, NOTHING, narrowed, type Row, union, wholeRow } from "./trace.js";
import { FILTER } from "./uses.js";
import { WRITES } from "./writes.js";

/** Columns whose values are made by the server, of no table's. */
const plain = (...names: string[]): Returned =>
  rows({ columns: names.map((name) => ({ name, trace: NOTHING })), open: null });

/** Take back names that the transaction, or a part of it, has changed; PREPARE TRANSACTION is an end, too. */
const ENDS: ReadonlySet<string> = new Set([
  "TRANS_STMT_COMMIT",
  "TRANS_STMT_ROLLBACK",
  "TRANS_STMT_ROLLBACK_TO",
  "TRANS_STMT_PREPARE",
]);

/** DECLARE … WITH HOLD (parsenodes.h). */
const CURSOR_OPT_HOLD = 0x20;

interface Rule<K extends NodeKind> {
  readonly action: SqlAction | ((fields: NodeFields<K>) => SqlAction);
  analyse(analysis: Analysis, fields: NodeFields<K>, node: Node): Returned;
}

/** Statements that are more than their kind. */
const RULES: { readonly [K in NodeKind]?: Rule<K> } = {
  SelectStmt: {
    action: "sql:select",
    analyse: (analysis, n, node) => {
      const row = query(analysis, node, ROOT);
      analysis.effects.rowLimit = rowLimit(n);
      const into = intoOf(node);
      if (!into) return rows(row);
      // SELECT INTO is CREATE TABLE AS by its older name.
      createdFrom(analysis, into, row, "sql:create_table");
      return NOTHING_BACK;
    },
  },
  CreateTableAsStmt: {
    action: (n) => (n.objtype === "OBJECT_MATVIEW" ? "sql:create_view" : "sql:create_table"),
    analyse: (analysis, n) => {
      const row = source(analysis, n.query);
      createdFrom(analysis, n.into, row, null);
      return NOTHING_BACK;
    },
  },
  ViewStmt: {
    action: "sql:create_view",
    analyse: (analysis, n) => {
      const row = source(analysis, n.query);
      const into: IntoClause = { ...(n.view && { rel: n.view }), ...(n.aliases && { colNames: n.aliases }) };
      createdFrom(analysis, into, row, null);
      return NOTHING_BACK;
    },
  },
  DoStmt: {
    action: "sql:do",
    analyse: (analysis, n, node) => (runBlock(analysis, n) ? NOTHING_BACK : unread(analysis, n, node)),
  },
  CreateFunctionStmt: { action: "sql:create_function", analyse: unread },
  CreateStmt: {
    action: "sql:create_table",
    analyse: (analysis, n, node) => {
      const name = created(analysis, n.relation);
      makesColumns(analysis, name, n.tableElts);
      boundsPartition(analysis, name, n.partbound);
      utility(analysis, node);
      return NOTHING_BACK;
    },
  },
  CreateSchemaStmt: {
    action: "sql:create_schema",
    analyse: (analysis, n) => {
      // CREATE SCHEMA s CREATE VIEW … GRANT …: statements within the statement.
      for (const node of n.schemaElts ?? []) analysis.within(actionOf(node), () => statement(analysis, node));
      return NOTHING_BACK;
    },
  },
  RefreshMatViewStmt: {
    action: "sql:refresh_view",
    analyse: (analysis, n) => {
      const { name, relation } = analysis.names.relation(n.relation?.schemaname, n.relation?.relname ?? "");
      readsRelation(analysis, name, relation);
      analysis.effects.tablesWritten.add(name);
      return NOTHING_BACK;
    },
  },
  ExplainStmt: {
    action: "sql:explain",
    analyse: (analysis, n) => explain(analysis, n, { actionOf, analyse: (node) => statement(analysis, node) }),
  },
  CopyStmt: { action: copyAction, analyse: copy },
  PrepareStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      for (const node of n.argtypes ?? []) {
        const name = strings(as("TypeName", node)?.names).at(-1) ?? "";
        if (analysis.context.catalog.typeFunctions(name).length > 0)
          throw new NotUnderstood(`a parameter of the type ${name}, which runs code that is not PostgreSQL's own`);
      }
      // Understood again when it is executed; here it only has to be understandable.
      if (n.query) analysis.trial(() => query(analysis, n.query!, ROOT));
      return NOTHING_BACK;
    },
  },
  ExecuteStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      // They may decide anything in it.
      const given = analysis.expressions(n.params, ROOT);
      analysis.inClause("EXECUTE", () => analysis.notes(union(given), FILTER.other));
      analysis.session.push({ kind: "executes", name: n.name ?? "" });
      return NOTHING_BACK;
    },
  },
  DeallocateStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      analysis.session.push({ kind: "deallocates", name: n.name ?? null });
      return NOTHING_BACK;
    },
  },
  DeclareCursorStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      const { arranged: before } = analysis;
      const row = source(analysis, n.query);
      analysis.stopsEarly(before, "DECLARE without ORDER BY of a unique column");
      const hold = ((n.options ?? 0) & CURSOR_OPT_HOLD) !== 0;
      const operations = analysis.parts.flatMap((part) => (part === analysis.effects ? [] : part.operations()));
      analysis.session.push({
        kind: "declares",
        cursor: n.portalname ?? "",
        outputs: outputs(row),
        operations,
        hold,
        ...(analysis.unsettles && { unsettles: true }),
      });
      if (hold && analysis.unsettles)
        throw new NotUnderstood("a cursor WITH HOLD runs at the COMMIT, and code in it may change what names mean");
      // Code in it runs with a FETCH, and where it is not volatile already here, as the server plans it.
      return NOTHING_BACK;
    },
  },
  FetchStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      analysis.session.push({ kind: "fetches", cursor: n.portalname ?? "", gives: !n.ismove });
      return NOTHING_BACK;
    },
  },
  ClosePortalStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      analysis.session.push({ kind: "closes", cursor: n.portalname ?? null });
      return NOTHING_BACK;
    },
  },
  DiscardStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      if (n.target === "DISCARD_ALL") analysis.session.push({ kind: "discards" });
      return NOTHING_BACK;
    },
  },
  VariableSetStmt: { action: "sql:session", analyse: set },
  VariableShowStmt: {
    action: "sql:show",
    analyse: (_, n) => (n.name === "all" ? plain("name", "setting", "description") : plain(n.name ?? "")),
  },
  CallStmt: {
    action: "sql:call",
    analyse: (analysis, n) => {
      const value = analysis.expression({ FuncCall: n.funccall ?? {} }, ROOT);
      const names = strings(n.funccall?.funcname);
      const columns = analysis.names.routines(names)[0]?.columns;
      if (!columns || columns.length === 0) return NOTHING_BACK;
      const shown = union([value]);
      return rows({ columns: columns.map((name) => ({ name, trace: shown })), open: null });
    },
  },
  TruncateStmt: {
    action: "sql:truncate",
    analyse: (analysis, n) => {
      for (const node of n.relations ?? []) {
        const relation = writes(analysis, as("RangeVar", node));
        if (relation && n.behavior === "DROP_CASCADE") cascades(analysis, relation, () => true);
      }
      analysis.effects.bounded = false;
      return NOTHING_BACK;
    },
  },
  LockStmt: {
    action: "sql:lock",
    analyse: (analysis, n) => {
      for (const node of n.relations ?? []) reads(analysis, as("RangeVar", node));
      return NOTHING_BACK;
    },
  },
  DropStmt: {
    action: (n) => DROPS[n.removeType ?? ""] ?? "sql:drop_other",
    analyse: (analysis, n) => {
      const relations = ["OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE"];
      for (const node of n.objects ?? []) {
        const names = strings(as("List", node)?.items);
        if (relations.includes(n.removeType ?? "")) {
          writes(analysis, { relname: names.at(-1) ?? "", ...(names.length > 1 && { schemaname: names.at(-2)! }) });
        }
      }
      return NOTHING_BACK;
    },
  },
  AlterTableStmt: {
    action: (n) => alterAction(n.objtype),
    analyse: (analysis, n, node) => {
      altersColumns(analysis, n);
      altersRows(analysis, n);
      return altered(analysis, n, node);
    },
  },
  RenameStmt: {
    action: (n) => alterAction(n.renameType === "OBJECT_COLUMN" ? n.relationType : n.renameType),
    analyse: (analysis, n, node) => {
      renames(analysis, n);
      return altered(analysis, n, node);
    },
  },
  AlterObjectSchemaStmt: {
    action: "sql:alter_other",
    analyse: (analysis, n, node) => {
      changesSchema(analysis, n);
      return altered(analysis, n, node);
    },
  },
  CreateTrigStmt: {
    action: "sql:create_trigger",
    analyse: (analysis, n, node) => {
      intercepts(analysis, n.relation, false);
      triggers(analysis, n);
      return altered(analysis, n, node);
    },
  },
  RuleStmt: {
    action: "sql:create_other",
    analyse: (analysis, n, node) => {
      intercepts(analysis, n.relation, true);
      return altered(analysis, n, node);
    },
  },
  IndexStmt: looksAtRows("sql:create_index", indexes),
  CreatePolicyStmt: looksAtRows("sql:create_other", restrictsRows),
  AlterPolicyStmt: looksAtRows("sql:alter_other", restrictsRows),
  AlterDomainStmt: looksAtRows("sql:alter_other", constrainsDomain),
  CreateDomainStmt: looksAtRows("sql:create_other", makesDomain),
  CreateForeignTableStmt: {
    action: "sql:create_table",
    analyse: (analysis, n, node) => {
      const name = created(analysis, n.base?.relation);
      boundsPartition(analysis, name, n.base?.partbound);
      // What it shows is elsewhere: a file, another server, a table of this one.
      analysis.stored(name, null, "*", LEAK);
      analysis.effects.extra("sql:system", name);
      utility(analysis, node);
      return NOTHING_BACK;
    },
  },
  ClusterStmt: looksAtRows("sql:vacuum", clusters),
  TransactionStmt: {
    action: "sql:session",
    analyse: (analysis, n) => {
      if (ENDS.has(n.kind ?? "")) analysis.session.push({ kind: "endsTransaction" });
      return NOTHING_BACK;
    },
  },
  GrantStmt: { action: (n) => (n.is_grant ? "sql:grant" : "sql:revoke"), analyse: altered },
};

/** A statement that only names things, and looks at the rows of one. */
function looksAtRows<K extends NodeKind>(
  action: SqlAction,
  look: (analysis: Analysis, fields: NodeFields<K>) => void,
): Rule<K> {
  return {
    action,
    analyse: (analysis, n, node) => {
      look(analysis, n);
      utility(analysis, node);
      return NOTHING_BACK;
    },
  };
}

/** One statement, understood: effects are noted in the analysis. @throws NotUnderstood */
export function statement(analysis: Analysis, node: Node): Returned {
  const kind = kindOf(node);
  const write = WRITES[kind];
  if (write) {
    const row = write.analyse(analysis, node, ROOT);
    return row.columns.length > 0 || row.open ? rows(row) : NOTHING_BACK;
  }
  const found = ruleFor<Rule<NodeKind>>(RULES, node);
  if (found) return found.rule.analyse(analysis, found.fields, node);
  utility(analysis, node);
  return NOTHING_BACK;
}

/** The action of a statement. @throws NotUnderstood for a kind that nothing here knows. */
export function actionOf(node: Node): SqlAction {
  const kind = kindOf(node);
  const found = ruleFor<Rule<NodeKind>>(RULES, node);
  const action = WRITES[kind]?.action ?? found?.rule.action ?? STATEMENT_ACTIONS[kind];
  if (action === undefined) throw new NotUnderstood(`${kind} is a kind of statement that is not known`);
  return typeof action === "function" ? action(found?.fields as never) : action;
}

/** Whether the statement changes what the catalog says. */
export const changesCatalog = (action: SqlAction): boolean =>
  /^sql:(create|alter|drop)_|^sql:(do|call|function_write|system|refresh_view|grant|revoke|role)$/.test(action);

/** CREATE TABLE AS can also take its rows from a prepared statement. */
function source(analysis: Analysis, node: Node | undefined): Row {
  if (node === undefined) throw new NotUnderstood("a statement without its query");
  if (!as("ExecuteStmt", node)) return inner(analysis, node);
  statement(analysis, node);
  return { columns: [], open: LEAK };
}

function createdFrom(analysis: Analysis, into: IntoClause | undefined, row: Row, extra: SqlAction | null): void {
  const name = created(analysis, into?.rel);
  const names = strings(into?.colNames);
  if (extra) analysis.within(extra, () => analysis.effects.tablesWritten.add(name));
  for (const [i, column] of row.columns.entries()) {
    const stored = names[i] ?? column.name;
    analysis.stored(name, null, stored, narrowed(row).columns[i]!.trace);
  }
  if (row.open) analysis.stored(name, null, "*", wholeRow(row));
}

/** Notes a relation about to exist: in the first schema of the path where it names none. */
function created(analysis: Analysis, range: RangeVar | undefined): string {
  const plainName = range?.relname ?? "";
  const temporary = range?.relpersistence === "t" || range?.schemaname === "pg_temp";
  const schema = temporary ? "pg_temp" : (range?.schemaname ?? analysis.names.creation);
  const name = schema ? `${schema}.${plainName}` : plainName;
  analysis.effects.tablesWritten.add(name);
  if (temporary) analysis.session.push({ kind: "createsTemporary", name: plainName });
  return name;
}

function writes(analysis: Analysis, range: RangeVar | undefined): Relation | null {
  const { name, relation } = analysis.names.relation(range?.schemaname, range?.relname ?? "");
  writesRelation(analysis, name, relation);
  return relation;
}

function reads(analysis: Analysis, range: RangeVar | undefined): void {
  const { name, relation } = analysis.names.relation(range?.schemaname, range?.relname ?? "");
  readsRelation(analysis, name, relation);
}

const alterAction = (type: string | undefined): SqlAction =>
  ALTERS_TABLE.has(type ?? "") ? "sql:alter_table" : "sql:alter_other";

function altered(analysis: Analysis, fields: object, node: Node): Returned {
  const { relation } = fields as { relation?: RangeVar };
  if (relation) writes(analysis, relation);
  utility(analysis, node);
  return NOTHING_BACK;
}

/** Code that comes with the statement, and is not read: it could copy anything to anywhere. */
function unread(analysis: Analysis, _: object, node: Node): Returned {
  analysis.given(ANYWHERE, { name: "*", trace: LEAK });
  utility(analysis, node);
  return NOTHING_BACK;
}

/** The relations a utility names and the functions its expressions call, wherever they stand in it. */
function utility(analysis: Analysis, node: Node): void {
  everyNode(node, (kind, fields) => {
    if (kind === "FuncCall") {
      const names = strings((fields as NodeFields<"FuncCall">).funcname);
      callsRoutines(analysis, analysis.names.routines(names), names.join("."));
    }
    if (kind === "RangeVar") reads(analysis, fields as RangeVar);
    if (kind === "VariableSetStmt") plansBy(analysis, fields);
  });
  // Most name theirs in a field of the structure itself, without a node around it.
  const [fields] = Object.values(node) as { relation?: RangeVar; setstmt?: NodeFields<"VariableSetStmt"> }[];
  if (fields?.setstmt) plansBy(analysis, fields.setstmt);
  if (fields?.relation?.relname && kindOf(node) !== "CreateStmt") writes(analysis, fields.relation);
}
