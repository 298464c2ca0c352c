import type { TypeName } from "libpg-query";
import type { ColumnRef } from "#commands";
import type { Analysis } from "../analysis.js";
import { typeNamed } from "../bounds/types.js";
import type { Relation, RelationColumn } from "../catalog.js";
import { functionEffect } from "../functions.js";
import { NotUnderstood, strings } from "../parser/ast.js";
import { inside, type Names, type RangeItem, ROOT, type Scope } from "../scope.js";
import { type Column, LEAK, NOTHING, type Row, type Trace, union } from "../trace.js";
import { FILTER } from "../uses.js";
import type { Datum, PlpgsqlBody, Variable } from "./body.js";

/** What is assigned to: a variable, or a field of one. */
interface Place {
  readonly name: string;
  readonly field?: string;
}

interface Known {
  /** Everything that has been assigned to it. */
  trace: Trace;
  /** By name, as far as all that has been assigned had fields; null where something had none that are known. */
  fields: Map<string, Trace> | null;
  readonly parameter: boolean;
  readonly notnull: boolean;
  /** What its values become; null of a row, and where it is not known. */
  readonly type: TypeName | null;
  readonly typeOid: number;
  /** Of the row type it is declared with. */
  readonly columns: readonly RelationColumn[] | null;
  /** Whose values it takes as they are: a column's, of whose type it is, or any. */
  readonly same: ColumnRef | "any" | null;
}

/**
 * The variables of a body. One shows what is assigned to it anywhere before, whichever way was taken; those of one name,
 * in blocks within each other, are taken for the same.
 */
export class Variables {
  private readonly known = new Map<string, Known>();
  private readonly aliases: ReadonlyMap<string, string>;
  private made: Scope | null = null;
  /** How often more was found to be in one of them: it goes on until there is no more. */
  changes = 0;

  constructor(
    private readonly analysis: Analysis,
    private readonly body: PlpgsqlBody,
    /** What names of variables can be qualified with. */
    private readonly labels: readonly string[],
    parameters: readonly string[],
  ) {
    for (const { PLpgSQL_var: scalar, PLpgSQL_rec: record } of body.datums) {
      const variable = scalar ?? record;
      if (variable) this.declare(variable, record !== undefined, parameters);
    }
    this.aliases = new Map(
      body.aliases.map(({ PLpgSQL_alias: { name, varno = 0 } }) => [name, this.place(varno).name] as const),
    );
  }

  private declare(variable: Variable, record: boolean, parameters: readonly string[]): void {
    const { refname, lineno, datatype, notnull = false } = variable;
    const before = this.known.get(refname);
    // The types of arguments are stand-ins.
    const { typname = "record", type = null } = (lineno === undefined ? undefined : datatype?.PLpgSQL_type) ?? {};
    const { relation, column } = typeOf(this.analysis, typname);
    // What is kept in rows of it passes the checks of their types.
    const ofType = this.analysis.context.catalog.typeFunctions(strings(type?.names).at(-1) ?? "");
    for (const routine of [...ofType, ...(relation?.attached ?? []).map((each) => each.routine)])
      this.analysis.effects.runs(routine, functionEffect(routine).unread);
    const parameter = before?.parameter || parameters.includes(refname) || /^\$\d+$/.test(refname);
    const typeOid = column?.typeOid ?? oidOf(type);
    const rows = record && column === undefined ? relation : null;
    this.known.set(refname, {
      trace: parameter ? this.analysis.parameters : OF_ERRORS.has(refname) ? LEAK : NOTHING,
      // Of two with one name, and of a type that is not known, it is not known which value is which field's.
      fields: before || parameter || !(record && lineno !== undefined) ? null : fieldsAs(typname, rows),
      parameter,
      notnull: notnull || before?.notnull === true,
      type: before || typname === "record" || rows ? null : type,
      typeOid: before && before.typeOid !== typeOid ? 0 : typeOid,
      columns: before || !rows ? null : rows.columns,
      same: before ? null : column ? column.ref : typname === "record" && lineno !== undefined ? "any" : null,
    });
  }

  /** @throws NotUnderstood for what is no variable. */
  place(varno = 0): Place {
    const { PLpgSQL_recfield: field, PLpgSQL_var, PLpgSQL_rec } = this.datum(varno);
    if (field) return { ...this.place(field.recparentno), field: field.fieldname };
    const variable = PLpgSQL_var ?? PLpgSQL_rec;
    if (!variable) throw new NotUnderstood("a list of variables where one is meant");
    return { name: variable.refname };
  }

  datum(varno = 0): Datum {
    const datum = this.body.datums[varno];
    if (!datum) throw new NotUnderstood("a variable that is not declared");
    return datum;
  }

  /** The variable behind a name of the text; undefined where it is none. */
  named(name: string): Place | undefined {
    const variable = this.aliases.get(name) ?? name;
    return this.known.has(variable) ? { name: variable } : undefined;
  }

  /** The variable's own value as it is now. */
  value({ name, field }: Place): Trace {
    if (OF_ERRORS.has(name)) throw new NotUnderstood("code that looks at errors");
    const known = this.of(name);
    if (field === undefined) return shown(known);
    return known.fields?.get(field) ?? known.trace;
  }

  /** Notes that a variable may have the value, on a way that `control` decides. */
  assign({ name, field }: Place, value: Trace, control: Trace): void {
    const known = this.of(name);
    const { parameters } = this.analysis;
    if (isNothing(value) && isNothing(control) && !known.parameter && (value.fields ?? []).length === 0) return;
    const given = field === undefined ? this.converted(known, value) : value;
    this.mayFail(known, field, value);
    const before = known.trace;
    known.trace = { ...union([before, given, control]), typeOid: known.typeOid };
    this.grows(before, known.trace);
    if (known.fields) this.assignFields(known, known.fields, field, given, control);
    // `$1` is the argument, whatever its name.
    if (known.parameter) this.analysis.parameters = union([parameters, known.trace]);
    this.made = null;
  }

  private assignFields(
    known: Known,
    own: Map<string, Trace>,
    field: string | undefined,
    value: Trace,
    control: Trace,
  ): void {
    const fields = field === undefined ? fieldsOf(value, known) : [{ name: field, trace: { ...value, fields: null } }];
    if (fields === null || !(field === undefined ? isSameRow(own, fields) : own.has(field))) {
      known.fields = null;
      this.changes += 1;
      return;
    }
    for (const { name, trace } of fields) {
      const before = own.get(name);
      const typeOid = !before || isNothing(before) || before.typeOid === trace.typeOid ? trace.typeOid : 0;
      const after = { ...union([before ?? NOTHING, trace, control]), typeOid };
      this.grows(before ?? NOTHING, after);
      own.set(name, after);
    }
  }

  private grows(before: Trace, after: Trace): void {
    if (weight(after) > weight(before)) this.changes += 1;
  }

  /** The value as one of the variable's type, with what the server runs to make it one. */
  private converted({ type }: Known, value: Trace): Trace {
    if (type === null) return value;
    const { catalog } = this.analysis.context;
    const custom = catalog.typeFunctions(strings(type.names).at(-1) ?? "").length > 0;
    if (isNothing(value) && !custom) return value;
    const row: Row = { columns: [{ name: "value", trace: value }], open: null };
    const arg = { ColumnRef: { fields: [{ String: { sval: "value" } }] } };
    const cast = this.analysis.inClause("assignment", () =>
      this.analysis.expression({ TypeCast: { arg, typeName: type } }, inside(ROOT, { items: [], row })),
    );
    return { ...union([value, cast]), fields: value.fields };
  }

  /** Where a value has to become one of another type, or may not be NULL, whether it can tells of it. */
  private mayFail({ notnull, type, columns, same }: Known, field: string | undefined, value: Trace): void {
    if (isNothing(value)) return;
    const asItIs = ({ direct, sources }: Trace, of: ColumnRef | undefined) =>
      direct && of !== undefined && sources.size === 1 && sources.has(of);
    const fits =
      field === undefined &&
      !notnull &&
      // What a cast asks has been noted there.
      // But it cuts to a length, where an assignment fails.
      ((type !== null && !type.typmods?.length) ||
        same === "any" ||
        (same !== null && asItIs(value, same)) ||
        (columns !== null &&
          (value.fields?.every(({ trace }, i) => isNothing(trace) || asItIs(trace, columns[i]?.ref)) ?? false)));
    if (!fits) this.analysis.inClause("assignment", () => this.analysis.notes(value, FILTER.other));
  }

  /** Names as an expression in the body finds them, behind those of its own tables. */
  get scope(): Scope {
    return (this.made ??= this.makeScope());
  }

  private makeScope(): Scope {
    const names = [...this.known.keys(), ...this.aliases.keys()];
    this.analysis.step(Math.ceil(names.length / 8));
    const columns = names.map((name): Column => ({ name, trace: shown(this.of(this.aliases.get(name) ?? name)) }));
    const row: Row = { columns, open: null };
    const items = new Map<string, RangeItem>();
    for (const { name, trace } of columns)
      items.set(name, { alias: name, schema: null, row: { columns: trace.fields ?? [], open: trace } });
    for (const label of this.labels) {
      const same = items.get(label)?.row;
      const both: Row = same ? { columns: [...row.columns, ...same.columns], open: same.open } : row;
      items.set(label, { alias: label, schema: null, row: both });
    }
    const all: Names = { items: [...items.values()], row };
    return { ...inside(ROOT, all), variables: all };
  }

  private of(name: string): Known {
    const known = this.known.get(name);
    if (!known) throw new NotUnderstood(`the variable ${name} is not declared`);
    return known;
  }
}

/** What a handler is told of the error. */
export const OF_ERRORS: ReadonlySet<string> = new Set(["sqlerrm", "sqlstate"]);

const isNothing = ({ sources, leaks }: Trace): boolean => sources.size === 0 && !leaks;

/** The same object for an argument that nothing has been assigned to: by that it is known for one. */
function shown({ trace, fields, parameter }: Known): Trace {
  if (!fields || fields.size === 0) return trace;
  return parameter ? trace : { ...trace, fields: [...fields].map(([name, each]) => ({ name, trace: each })) };
}

const oidOf = (type: TypeName | null): number =>
  type === null || type.arrayBounds?.length ? 0 : typeNamed(strings(type.names).at(-1) ?? "");

/** How much may be in a value: that it holds more is never taken back. */
export const weight = ({ sources, leaks, everyRow }: Trace): number =>
  sources.size + (leaks ? 1 : 0) + (everyRow ? 1 : 0);

/** Fields as far as the type says which there are; null where it could be of any other. */
function fieldsAs(type: string, rows: Relation | null): Map<string, Trace> | null {
  if (rows) return new Map(rows.columns.map(({ name }) => [name, NOTHING]));
  return type === "record" ? new Map() : null;
}

/** What is assigned field by field, to a row by place; null where fields are not known. */
function fieldsOf(value: Trace, { columns }: Known): readonly Column[] | null {
  if (isNothing(value) && !value.fields) return [];
  if (!columns) return value.fields;
  return value.fields && columns.map(({ name }, i) => ({ name, trace: value.fields![i]?.trace ?? NOTHING }));
}

/** Fields are told apart by their places as much as by their names: both have to be the same each time. */
function isSameRow(own: ReadonlyMap<string, Trace>, fields: readonly Column[]): boolean {
  if (fields.length === 0) return true;
  const names = fields.map(({ name }) => name);
  if (own.size === 0) return new Set(names).size === names.length;
  return own.size === names.length && [...own.keys()].every((name, i) => name === names[i]);
}

/** The relation that a type names, with the column whose type it is. */
function typeOf({ names }: Analysis, type: string): { relation: Relation | null; column?: RelationColumn } {
  const plain = type.replace(/\s*%.*$/s, "").replace(/\s*\[.*$/s, "");
  const parts = [...plain.matchAll(/"((?:[^"]|"")+)"|([^\s."]+)/g)].map(
    ([, quoted, folded]) => quoted?.replaceAll('""', '"') ?? (folded ?? "").toLowerCase(),
  );
  const ofColumn = /%\s*type/i.test(type);
  const own = ofColumn ? parts.pop() : undefined;
  if (parts.length === 0 || parts.length > 2) return { relation: null };
  const relation = names.known(parts.at(-2), parts.at(-1)!);
  const column = relation?.columns.find(({ name }) => name === own);
  return { relation: ofColumn && !column ? null : relation, ...(column && { column }) };
}
