import type { ColumnRef } from "#commands";
import type { Relation, RoutineFacts, SqlContext } from "./catalog.js";

/** A relation by the name it was found under, or the name alone where nothing is known of it. */
export interface Resolved {
  /** With its schema, where one is known. */
  readonly name: string;
  readonly relation: Relation | null;
}

/** What names mean at this point of a statement: by the search_path in force there, and by what hides what. */
export class NameResolution {
  /** Names that nothing was found for; functions' end in `()`. */
  readonly unknown = new Set<string>();
  /** What names without a schema were found to be by the search_path, `schema.name`; in a function by its own. */
  readonly byPath = new Map<string, string>();
  private searchPath: readonly string[];
  private temporary: ReadonlySet<string>;
  private readonly openColumns = new Map<string, ColumnRef>();
  private readonly newcomers = new Set<ColumnRef>();

  constructor(private readonly context: SqlContext) {
    this.searchPath = context.searchPath;
    this.temporary = new Set(context.temporary);
  }

  /** Within a function names go by its own search_path, where it sets one, or the session's. */
  inFunction<T>(path: readonly string[] | null, run: () => T): T {
    return this.by(path ?? this.context.searchPath, new Set(this.context.temporary), run);
  }

  /** Within a view nothing of the session's has a say: the server spells its names out. */
  inView<T>(run: () => T): T {
    return this.by([], new Set(), run);
  }

  private by<T>(path: readonly string[], temporary: ReadonlySet<string>, run: () => T): T {
    const { searchPath: outerPath, temporary: outerTemporary } = this;
    this.searchPath = path;
    this.temporary = temporary;
    try {
      return run();
    } finally {
      this.searchPath = outerPath;
      this.temporary = outerTemporary;
    }
  }

  /** The schemas a name is looked for in, in their order; temporary ones come first. */
  get searched(): readonly string[] {
    return this.searchPath.includes("pg_catalog") ? this.searchPath : ["pg_catalog", ...this.searchPath];
  }

  hasTemporary(name: string): boolean {
    return this.temporary.has(name);
  }

  /** The relation a name means. */
  relation(schema: string | undefined, name: string): Resolved {
    const { catalog } = this.context;
    if (schema !== undefined && schema !== "") {
      const relation = catalog.relation(schema, name) ?? null;
      if (!relation && schema !== "pg_temp") this.unknown.add(`${schema}.${name}`);
      return { name: `${schema}.${name}`, relation };
    }
    const found = this.found(name);
    if (found) this.byPath.set([...this.ownPath, name].join("\0"), found.name);
    if (this.temporary.has(name)) return { name: `pg_temp.${name}`, relation: null };
    if (found) return found;
    this.unknown.add(name);
    return { name, relation: null };
  }

  /** Within a function or a view, where it is not the session's. */
  private get ownPath(): readonly string[] {
    return this.searchPath === this.context.searchPath ? [] : this.searchPath;
  }

  private found(name: string): Resolved | null {
    for (const searched of this.searched) {
      const relation = this.context.catalog.relation(searched, name);
      if (relation) return { name: `${searched}.${name}`, relation };
    }
    return null;
  }

  /** The relation whose row type a name means; null where that is not known. */
  known(schema: string | undefined, name: string): Relation | null {
    const { catalog } = this.context;
    if (schema !== undefined) return catalog.relation(schema, name) ?? null;
    // A temporary relation's columns are not known, and its name comes first.
    return this.temporary.has(name) ? null : (this.found(name)?.relation ?? null);
  }

  /**
   * The relation behind a temporary one of its name. The temporary one may be gone (DROP, ON COMMIT DROP, DISCARD), and
   * the name mean this one again: both are meant.
   */
  hiddenBy(name: string): Relation | null {
    if (!name.startsWith("pg_temp.")) return null;
    const own = name.slice("pg_temp.".length);
    if (!this.temporary.has(own)) return null;
    for (const schema of ["pg_catalog", ...this.searchPath]) {
      const relation = this.context.catalog.relation(schema, own);
      if (relation) return relation;
    }
    return null;
  }

  /** Every function a name could mean; which of them it is depends on types. */
  routines(names: readonly string[]): readonly RoutineFacts[] {
    const { catalog } = this.context;
    const name = names.at(-1) ?? "";
    if (names.length > 1) return catalog.functions(names.at(-2) ?? "", name);
    return ["pg_catalog", ...this.searchPath].flatMap((schema) => catalog.functions(schema, name));
  }

  /** Stands for every column of a relation that nothing is known of: one object a relation. */
  openColumn(name: string): ColumnRef {
    const dot = name.indexOf(".");
    const known = this.openColumns.get(name);
    const column = known ?? { schema: name.slice(0, Math.max(dot, 0)), table: name.slice(dot + 1), column: "*" };
    this.openColumns.set(name, column);
    if (!/^pg_/.test(name)) this.newcomers.add(column);
    return column;
  }

  /** Whether a column is of a relation the server will not find, or one this transaction has made. */
  isNewcomer(column: ColumnRef): boolean {
    return this.newcomers.has(column);
  }
}
