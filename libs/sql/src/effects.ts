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
      READS_ITSELF.has(this.action) || read.length === 0
        ? []
        : [{ ...own, action: "sql:select",
  "sql:explain", tablesRead: read, tablesWritten: [], columnsWritten: [], bounded: true }];
    const extras = [...this.extras].map(
      ([action, objects]): Operation => ({
        ...own,
        action,
        tablesWritten: [],
        columnsWritten: [],
        bounded: true,
        ...(action === "sql:lock" ? { tablesRead: [...objects] } : { functions: [...objects] }),
      }),
    );
    return [own, ...reads, ...extras];
  }
}

/** Actions whose own operation speaks for what is read; of any other, reading another table is a select besides. */
const READS_ITSELF: ReadonlySet<SqlAction> = new Set<SqlAction>([
  "sql:select",
  "sql:copy_out",
  "sql:lock",
  "sql:comment",
]);
