import type { Fields } from "../messages.js";

/** What the server says of itself, word for word: nothing of it is filled in, or a name of the catalog's at most. */
const SAYS_NO_VALUE: readonly RegExp[] = [
  /^current transaction is aborted, commands ignored until end of transaction block$/,
  /^there is (no|already a) transaction in progress$/,
  /^canceling statement due to (user request|(statement|lock) timeout|conflict with recovery)$/,
  /^terminating connection due to (administrator command|conflict with recovery|[a-z-]+ timeout)$/,
  /^terminating connection because of (crash of another server process|unexpected postmaster exit)$/,
  /^the database system is (starting up|shutting down|in recovery mode)$/,
  /^deadlock detected$/,
  /^could not serialize access due to (concurrent (update|delete)|read\/write dependencies among transactions)$/,
  /^cannot execute [A-Z ]+ in a read-only transaction$/,
  /^(permission denied for|must be owner of) (table|view|materialized view|sequence|schema|function|procedure) \w+$/,
  /^[a-z ]+ "[^"]*" (does not exist|already exists), skipping$/,
];

const NEUTRAL: Readonly<Record<string, string>> = {
  "00": "the server remarked on the statement",
  "01": "the server warned of the statement",
  "0A": "the statement asks for what the server does not do",
  "21": "a subquery or a set has the wrong number of rows",
  "22": "a value does not fit its type or its range",
  "23": "a constraint is violated",
  "34": "a cursor of this name does not exist",
  "42501": "permission denied",
  "42": "a name or a type does not resolve",
  "54": "a limit of the server is exceeded",
  "55": "an object is not in the state the statement needs",
  "55P03": "a lock could not be had",
  "58": "the server could not reach a file",
  P0: "a function raised an error",
};

const WITHHELD = "(text withheld: it could quote a masked value)";

/**
 * The same error or notice without what could quote a value: severity, SQLSTATE, position and the place in the server's
 * sources stay. Message and hint stay where the server words them from the client's own text: it then has a position,
 * which only what is parsed has, and comes from no function. Any other message stays only where it is one of those
 * above. The names of schema, table, column, type and constraint stay where the server gives them; a function may give
 * and word all of it as it likes, and what a function raises has a context.
 */
export function scrubbed(fields: Fields): Fields {
  const code = fields.get("C") ?? "";
  const message = fields.get("M") ?? "";
  const context = fields.get("W");
  // The innermost context stands first: COPY itself is none of a function's.
  const fromFunction = fields.has("q") || (context !== undefined && !context.startsWith("COPY "));
  const ofText = fields.has("P") && context === undefined && !fromFunction;
  const plain = ofText || (context === undefined && SAYS_NO_VALUE.some((words) => words.test(message)));
  const kept = new Map<string, string>();
  for (const [letter, value] of fields) {
    if (letter === "M") kept.set("M", plain ? value : neutral(code, fromFunction ? kept : fields));
    else if (letter === "H" ? ofText : ALWAYS.has(letter) || (NAMES.has(letter) && !fromFunction))
      kept.set(letter, value);
  }
  return kept;
}

const ALWAYS: ReadonlySet<string> = new Set("SVCPFLR");
const NAMES: ReadonlySet<string> = new Set("stcdn");

function neutral(code: string, fields: Fields): string {
  const sentence = NEUTRAL[code] ?? NEUTRAL[code.slice(0, 2)] ?? "the server refused the statement";
  const constraint = fields.get("n");
  const column = fields.get("c");
  const about = constraint ? `: "${constraint}"` : column ? `: column "${column}"` : "";
  return `${sentence}${about} ${WITHHELD}`;
}
