import { type CodeFacts, NO_CODE, type Operation, type SqlAction } from "#commands";
import type { RoutineFacts } from "./catalog.js";

/** What one statement (or one data-modifying WITH) does, while it is being found out. */
export class Effects {
  readonly tablesRead = new Set<string>();
  readonly tablesWritten = new Set<string>();
  readonly columnsRead = new Set<string>();
  readonly columnsWritten = new Set<string>();
  readonly functions = new Set<string>();
  /** Done besides, each with the functions or tables that do it. */
  readonly extras = new Map<SqlAction, Set<string>>();
  /** Kinds of writing that are part of it (a MERGE's, an ON CONFLICT's), each with whether it is bounded. */
  readonly writes = new Map<SqlAction, boolean>();
  readonly code: { readonly [K in keyof CodeFacts]: Set<string> } = {
    volatile: new Set(),
    userDefined: new Set(),
    definer: new Set(),
    unread: new Set(),
    triggers: new Set(),
  };
  bounded = true;
  rowLimit: number | null = null;

  constructor(readonly action: SqlAction) {}

  /** The same, to go on with apart. */
  copy(): Effects {
    const copy = new Effects(this.action);
    for (const kind of NAMED) for (const name of this[kind]) copy[kind].add(name);
    copy.calls(this);
    for (const [action, bounded] of this.writes) copy.writes.set(action, bounded);
    copy.bounded = this.bounded;
    copy.rowLimit = this.rowLimit;
    return copy;
  }

  /** A function runs; `unread` where nothing is known of what it does. */
  runs(routine: RoutineFacts, unread: boolean): void {
    const name = `${routine.schema}.${routine.name}`;
    this.functions.add(name);
    if (routine.volatility === "volatile") this.code.volatile.add(name);
    if (routine.userDefined) this.code.userDefined.add(name);
    if (routine.definer) this.code.definer.add(name);
    if (unread) this.code.unread.add(name);
  }

  /** Whether a function runs of which it is known what it does, because its body has been read. */
  hasRead({ schema, name, body }: RoutineFacts): boolean {
    return body !== null && this.functions.has(`${schema}.${name}`) && !this.code.unread.has(`${schema}.${name}`);
  }

  /** A function runs that is not in the catalog. */
  runsUnknown(name: string): void {
    for (const names of [this.functions, this.code.volatile, this.code.userDefined, this.code.unread]) names.add(name);
  }

  /** Calls what the other calls, and no more. */
  calls(other: Effects): void {
    for (const name of other.functions) this.functions.add(name);
    for (const kind of CODE) for (const name of other.code[kind]) this.code[kind].add(name);
    for (const [action, objects] of other.extras) for (const object of objects) this.extra(action, object);
  }

  extra(action: SqlAction, object: string): void {
    const objects = this.extras.get(action);
    if (objects) objects.add(object);
    else this.extras.set(action, new Set([object]));
  }

  /** It is done again and again, each time to other rows. */
  repeats(): void {
    this.rowLimit = null;
    if (REPEATABLE.has(this.action)) this.bounded = false;
    for (const action of this.writes.keys()) if (REPEATABLE.has(action)) this.writes.set(action, false);
  }

  /** A kind of writing is bounded where each of its clauses is. */
  writesToo(action: SqlAction, bounded: boolean): void {
    this.writes.set(action, bounded && (this.writes.get(action) ?? true));
  }

  operations(): Operation[] {
    const own: Operation = {
      action: this.action,
      tablesRead: [...this.tablesRead],
      tablesWritten: [...this.tablesWritten],
      columnsRead: [...this.columnsRead],
      columnsWritten: [...this.columnsWritten],
      functions: [...this.functions],
      code: CODE.every((kind) => this.code[kind].size === 0)
        ? NO_CODE
        : (Object.fromEntries(CODE.map((kind) => [kind, [...this.code[kind]]])) as unknown as CodeFacts),
      rowLimit: this.rowLimit,
      bounded: this.bounded,
    };
    const read = [...this.tablesRead].filter((table) => !this.tablesWritten.has(table));
    const reads: Operation[] =
      READS_BESIDES.has(this.action) && read.length > 0
        ? [
            {
              ...own,
              action: "sql:select",
              tablesRead: read,
              tablesWritten: [],
              columnsWritten: [],
              rowLimit: null,
              bounded: true,
            },
          ]
        : [];
    const extras = [...this.extras].map(([action, objects]): Operation => {
      const functions = [...objects].filter((object) => this.functions.has(object));
      const tables = [...objects].filter((object) => !this.functions.has(object));
      const tablesRead = action === "sql:lock" ? tables : own.tablesRead;
      return {
        ...own,
        action,
        functions,
        tablesRead,
        tablesWritten: [],
        columnsWritten: [],
        rowLimit: null,
        bounded: true,
      };
    });
    const writes = [...this.writes].map(([action, bounded]): Operation => ({ ...own, action, bounded }));
    return [own, ...writes, ...reads, ...extras];
  }
}

const NAMED = ["tablesRead", "tablesWritten", "columnsRead", "columnsWritten"] as const;
const CODE = Object.keys(NO_CODE) as (keyof CodeFacts)[];

const REPEATABLE: ReadonlySet<SqlAction> = new Set<SqlAction>(["sql:update", "sql:delete", "sql:merge"]);

/** Writes, whose reading of other tables is a select besides. */
const READS_BESIDES: ReadonlySet<SqlAction> = new Set<SqlAction>([
  "sql:insert",
  "sql:update",
  "sql:delete",
  "sql:merge",
]);
