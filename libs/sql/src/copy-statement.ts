import type { BulkFormat, SqlAction } from "#commands";
import type { Analysis } from "./analysis.js";
import { condition } from "./conditions.js";
import { as, type NodeFields, NotUnderstood, strings } from "./parser/ast.js";
import { readsRelation, relationRow, writesRelation } from "./relations.js";
import { inner, NOTHING_BACK, type Returned } from "./returned.js";
import { inside, ROOT } from "./scope.js";
import { each, LEAK, NOTHING, type Row, type Trace, wholeRow } from "./trace.js";

export function copyAction(n: NodeFields<"CopyStmt">): SqlAction {
  if (n.is_program) return "sql:copy_program";
  if (n.filename !== undefined) return "sql:copy_file";
  return n.is_from ? "sql:copy_in" : "sql:copy_out";
}

export function copy(analysis: Analysis, n: NodeFields<"CopyStmt">): Returned {
  const away = n.is_program ? "program" : n.filename !== undefined ? "file" : null;
  if (n.query) {
    const row = inner(analysis, n.query);
    return copied(analysis, n, row, away);
  }
  const { name, relation } = analysis.names.relation(n.relation?.schemaname, n.relation?.relname ?? "");
  const row = relationRow(analysis, name, relation);
  const listed = strings(n.attlist);
  if (n.is_from) {
    const into = () => {
      writesRelation(analysis, name, relation);
      const written = listed.length > 0 ? listed : row.columns.map((c) => c.name);
      for (const column of written) analysis.effects.columnsWritten.add(`${name}.${column}`);
      // Of the rows that come in, not of those that are there.
      const own = each(row, () => NOTHING);
      const item = { alias: n.relation?.relname ?? "", schema: null, row: own };
      analysis.inClause("WHERE", () => condition(analysis, n.whereClause, inside(ROOT, { items: [item], row: own })));
    };
    if (away) analysis.within("sql:copy_in", into);
    else into();
    return NOTHING_BACK;
  }
  readsRelation(analysis, name, relation);
  const stored = relation?.columns.filter((c) => c.generatedFrom === null).map((c) => c.name);
  const wanted = listed.length > 0 ? listed : (stored ?? []);
  const find = (column: string): Trace => row.columns.find((c) => c.name === column)?.trace ?? row.open ?? LEAK;
  const sent: Row = { columns: wanted.map((column) => ({ name: column, trace: find(column) })), open: row.open };
  for (const column of sent.columns) analysis.reads(column.trace);
  return copied(analysis, n, sent, away);
}

function copied(analysis: Analysis, n: NodeFields<"CopyStmt">, row: Row, away: string | null): Returned {
  if (away === null) return { rows: null, bulk: row, bulkFormat: bulkFormat(n) };
  for (const column of row.columns) analysis.given(away, column);
  if (row.open) analysis.given(away, { name: "*", trace: wholeRow(row) });
  return NOTHING_BACK;
}

/** How the rows are written: the options of COPY, in the old syntax or the new. */
function bulkFormat(n: NodeFields<"CopyStmt">): BulkFormat {
  const options = new Map<string, string>();
  for (const node of n.options ?? []) {
    const option = as("DefElem", node);
    const { arg } = option ?? {};
    const bool = as("Boolean", arg);
    const text = as("String", arg)?.sval ?? (bool ? String(bool.boolval ?? false) : undefined);
    const integer = as("Integer", arg);
    options.set(option?.defname ?? "", text ?? (integer ? String(integer.ival ?? 0) : "true"));
  }
  const encoding = options.get("encoding")?.toLowerCase().replace("-", "");
  if (encoding !== undefined && encoding !== "utf8") throw new NotUnderstood("COPY TO in an encoding other than UTF8");
  const kind = (options.get("format") ?? "text").toLowerCase();
  if (kind !== "text" && kind !== "csv" && kind !== "binary") throw new NotUnderstood(`COPY in the format ${kind}`);
  const header = !["false", "off", "0", "no", undefined].includes(options.get("header")?.toLowerCase());
  const given = (name: "delimiter" | "null" | "quote" | "escape") => {
    const value = options.get(name);
    return value === undefined ? {} : { [name]: value };
  };
  return { kind, header, ...given("delimiter"), ...given("null"), ...given("quote"), ...given("escape") };
}
