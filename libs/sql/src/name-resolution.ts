import type { ColumnRef } from "#commands";
import type { Relation, RoutineFacts, SqlContext } from "./catalog.js";
import { NotUnderstood } from "./parser/ast.js";
import { type Searched, searchedSchemas } from "./searched-schemas.js";

/** A relation by the name it was found under, or the name alone where nothing is known of it. */
export interface Resolved {
  /** With its schema, where one is known. */
  readonly name: string;
  readonly relation: Relation | null;
}

const UNSETTLED =
  "as another role or code that is not read may have changed what names mean: name its schema, or set the search_path to one schema, in a command of its own";

/** What names mean at this point of a statement: by the search_path in force there, and by what hides what. */
export class NameResolution {
  /** Names that nothing was found for; functions' end in `()`. */
  readonly unknown = new Set<string>();
  /** What names without a schema were found to be by the search_path, `schema.name`; in a function by its own. */
  readonly byPath = new Map<string, string>();
  private place: Searched;
  private readonly session: Searched;
  private temporary: ReadonlySet<string>;
  private readonly openColumns = new Map<string, ColumnRef>();
  private readonly newcomers = new Set<ColumnRef>();

  constructor(private readonly context: SqlContext) {
    this.session = this.place = searchedSchemas(context.searchPath, context);
    this.temporary = new Set(context.temporary);
  }

  /** Within a function names go by its own search_path, where it sets one, or the session's; and by its owner's rights. */
  inFunction<T>({ body, definer }: RoutineFacts, run: () => T): T {
    const { context } = this;
    const path = body?.searchPath ?? (context.unsettled ? null : context.searchPath);
    const owners = definer !== null && (definer !== context.role || context.foreign);
    const place =
      path === context.searchPath && !owners
        ? this.session
        : searchedSchemas(path, owners ? { ...context, role: definer, foreign: true } : context);
    return this.by(place, new Set(context.temporary), run);
  }

  /** Within a view nothing of the session's has a say: the server spells its names out. */
  inView<T>(run: () => T): T {
    return this.by({ schemas: [], certain: true }, new Set(), run);
  }

  private by<T>(place: Searched, temporary: ReadonlySet<string>, run: () => T): T {
    const { place: outerPlace, temporary: outerTemporary } = this;
    this.place = place;
    this.temporary = temporary;
    try {
      return run();
    } finally {
      this.place = outerPlace;
      this.temporary = outerTemporary;
    }
  }

  /** The schemas a name is looked for in, in their order where that is certain; temporary ones come first. */
  private get searched(): readonly string[] {
    const { schemas } = this.place;
    return schemas.includes("pg_catalog") ? schemas : ["pg_catalog", ...schemas];
  }

  /** Whether nothing is nearer than PostgreSQL's own but what is temporary. */
  get systemFirst(): boolean {
    return this.place.certain && this.searched[0] === "pg_catalog";
  }

  /** The schema that something is made in whose name has none; undefined where that is not known. */
  get creation(): string | undefined {
    const { schemas, certain } = this.place;
    return certain || schemas.length === 1 ? schemas[0] : undefined;
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
    return this.place === this.session ? [] : this.place.schemas;
  }

  private found(name: string): Resolved | null {
    let first: Resolved | null = null;
    let gone = this.context.gone?.includes(name) === true;
    const certain = this.place.certain && !gone;
    for (const searched of this.searched) {
      const relation = this.context.catalog.relation(searched, name);
      if (!relation) continue;
      if (gone) {
        gone = false;
        continue;
      }
      const found = { name: `${searched}.${name}`, relation };
      if (certain) return found;
      if (first) throw new NotUnderstood(`${name} could be ${first.name} or ${found.name}, ${UNSETTLED}`);
      first = found;
    }
    return first;
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
    return this.found(own)?.relation ?? null;
  }

  /** Every function a name could mean; which of them it is depends on types. */
  routines(names: readonly string[]): readonly RoutineFacts[] {
    const { catalog } = this.context;
    const name = names.at(-1) ?? "";
    if (names.length > 1) return catalog.functions(names.at(-2) ?? "", name);
    return this.searched.flatMap((schema) => catalog.functions(schema, name));
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
