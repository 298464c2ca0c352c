import type { Operation, Refusal, RowLimit } from "#commands";
import type { CommandLimit } from "#protocols";
import type { UnderstoodSql } from "./interpreter.js";

/** Actions whose rows are given to the client. */
const GIVES = new Set(["sql:select", "sql:show", "sql:explain", "sql:copy_out"]);
/** Actions whose rows a statement of this kind counts in its completion. */
const COUNTED_BY: Readonly<Record<string, string>> = {
  "sql:insert": "InsertStmt",
  "sql:update": "UpdateStmt",
  "sql:delete": "DeleteStmt",
  "sql:merge": "MergeStmt",
  "sql:copy_in": "CopyStmt",
};
/** Actions that change any number of rows and do not say how many. */
const UNCOUNTED = new Set(["sql:truncate", "sql:call", "sql:do", "sql:function_write"]);
/** Actions whose rows leave without passing here. */
const AWAY = new Set(["sql:copy_program", "sql:copy_file"]);

/** Why a limit on a command's rows cannot be kept; null where it can. */
export function unlimitable(
  { statements, operations }: UnderstoodSql,
  { policy, rows, actions }: RowLimit,
): Refusal | null {
  const limited = actions.filter((action) => GIVES.has(action) || UNCOUNTED.has(action) || action in COUNTED_BY);
  const refused = (why: string, hint: string): Refusal => ({
    code: "denied",
    message: `Policy ${policy} limits this command to ${rows} rows, and ${why}.`,
    hint,
  });
  if (limited.length > 0 && statements.length > 1) {
    return refused("several statements are sent together", "Send its statements one by one.");
  }
  const away = operations.find(({ action }) => AWAY.has(action));
  if (away && limited.length > 0) return refused(`rows of ${away.action} are not counted`, "Use COPY … TO STDOUT.");
  for (const action of limited) {
    if (GIVES.has(action)) continue;
    const times = operations.filter((operation) => operation.action === action).length;
    if (times === 1 && (COUNTED_BY[action] === statements[0]?.kind || isPartOfFirst(operations, action))) continue;
    return refused(
      `the rows of its ${action} are not counted`,
      action in COUNTED_BY
        ? "Let it be the statement itself, outside of WITH, EXPLAIN and functions."
        : "Write it as a plain statement.",
    );
  }
  return null;
}

/** What a MERGE or an ON CONFLICT does is in its own count; what a WITH does is not. */
function isPartOfFirst([own, ...others]: readonly Operation[], action: string): boolean {
  return others.some((other) => other.action === action && other.columnsWritten === own?.columnsWritten);
}

/** What the conversation has to keep; null where the text keeps it by itself, or no row is limited. */
export function commandLimit(
  { statements, operations }: UnderstoodSql,
  { rows, policy, actions }: RowLimit,
  reads: boolean,
): CommandLimit | null {
  if (!actions.some((action) => GIVES.has(action) || action in COUNTED_BY)) return null;
  const [own] = operations;
  if (own && own.rowLimit !== null && own.rowLimit <= rows) return null;
  return {
    rows,
    changes: !reads,
    header: statements[0]?.bulkFormat?.header === true,
    refusal: {
      code: "denied",
      message: `Policy ${policy} limits this command to ${rows} rows, and it ${reads ? "gives" : "gives or changes"} more.`,
      detail: reads ? "The rows up to there were given." : "What it had changed is undone.",
      hint: "Say which rows you mean, or do it in parts.",
    },
  };
}
