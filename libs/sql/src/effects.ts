import type { Operation, SqlAction } from "#commands";

/** What one statement (or one data-modifying WITH) does, while it is being found out. */
export class Effects {
  readonly tablesRead = new Set<string>();
  readonly tablesWritten = new Set<string>();
  readonly columnsRead = new Set<string>();
  readonly columnsWritten = new Set<string>();
  readonly functions = new Set<string>();
  /** Done besides, each with the functions or tables that do it. */
  readonly extras = new Map<SqlAction, Set<string>>();
  bounded = true;

  constructor(readonly action: SqlAction) {}

  extra(action: SqlAction, object: string): void {
    const objects = this.extras.get(action);
    if (objects) objects.add(object);
    else this.extras.set(action, new Set([object]));
  }

  operations(): Operation[] {
    const own: Operation = {
      action: this.action,
      tablesRead: [...this.tablesRead],
      tablesWritten: [...this.tablesWritten],
      columnsRead: [...this.columnsRead],
      columnsWritten: [...this.columnsWritten],
      functions: [...this.functions],
      bounded: this.bounded,
    };
    const read = [...this.tablesRead].filter((table) => !this.tablesWritten.has(table));
    const reads: Operation[] =
      READS_BESIDES.has(this.action) && read.length > 0
        ? [{ ...own, action: "sql:select", tablesRead: read, tablesWritten: [], columnsWritten: [], bounded: true }]
        : [];
    const extras = [...this.extras].map(([action, objects]): Operation => {
      const functions = [...objects].filter((object) => this.functions.has(object));
      const tables = [...objects].filter((object) => !this.functions.has(object));
      const tablesRead = action === "sql:lock" ? tables : own.tablesRead;
      return { ...own, action, functions, tablesRead, tablesWritten: [], columnsWritten: [], bounded: true };
    });
    return [own, ...reads, ...extras];
  }
}

/** Writes, whose reading of other tables is a select besides. */
const READS_BESIDES: ReadonlySet<SqlAction> = new Set<SqlAction>([
  "sql:insert",
  "sql:update",
  "sql:delete",
  "sql:merge",
]);
