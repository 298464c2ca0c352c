import { FILTER_USES, ORDER_USES, SQL_ACTIONS, SQL_ANY } from "#commands";

/** Opening a session on a resource. */
export const CONNECT = "connect";
/** Seeing what a label hides. */
export const REVEAL = "reveal";
/** Deciding by what a label hides: which rows there are, whether a command fails. */
const FILTER = "filter";
/** Ordering and grouping by it. */
const ORDER = "order";
/** Storing it where the label does not reach. */
const COPY = "copy";
/** What can be done to a label. */
export const LABEL_ACTIONS: ReadonlySet<string> = new Set([REVEAL, FILTER, ORDER, COPY]);
/** Transactions, cursors, harmless settings: whoever may connect may do these, unless a policy forbids it. */
export const SESSION = "sql:session";

/** Each leaf with the groups it is in, nearest first. */
const groupsByLeaf: ReadonlyMap<string, readonly string[]> = new Map([
  [CONNECT, []],
  ...[...LABEL_ACTIONS].map((action): [string, readonly string[]] => [action, []]),
  ...Object.entries(SQL_ACTIONS).flatMap(([group, leaves]) =>
    leaves.map((leaf): [string, readonly string[]] => [leaf, leaf === group ? [SQL_ANY] : [group, SQL_ANY]]),
  ),
]);

const groups = new Set([...groupsByLeaf.values()].flat());

/** The groups an action is in, nearest first; undefined for a name that is no leaf. */
export const groupsOf = (leaf: string): readonly string[] | undefined => groupsByLeaf.get(leaf);

/** A name for several actions that is none itself; `sql:call` and `sql:session` are both. */
export const isOnlyGroup = (name: string): boolean => groups.has(name) && !groupsByLeaf.has(name);

/** A token's scope: leaves or groups. Whether it covers a leaf; an empty scope limits nothing. */
export const inScope = (scope: readonly string[], leaf: string): boolean =>
  scope.length === 0 || [leaf, ...(groupsOf(leaf) ?? [])].some((name) => scope.includes(name));

/** Leaves and groups. */
export const actionNames: readonly string[] = [...new Set([...groupsByLeaf.keys(), ...groups])];

/** Names a token's scope may hold. */
export const isAction = (name: string): boolean => groupsByLeaf.has(name) || groups.has(name);

/** The Cedar schema every policy is validated against. */
export const CEDAR_SCHEMA = `\
// Someone's team or role, as the issuer or its mapping says.
entity Group;

// Who acts: "<issuer>|<subject>".
entity Agent in [Group] {
  issuer: String,
  subject: String,
  name: String,
};

// What an enforcer reaches, by name.
entity Resource {
  protocol: String,
};

// A kind of sensitive data; "pii.email" is in "pii".
entity Label in [Label];

type Session = {
  // The CI job or agent task; "" where the issuer names none.
  run: String,
  client_address: String,
  // Those the agent acts for.
  on_behalf_of: Set<String>,
  // Milliseconds since 1970-01-01T00:00Z.
  now: Long,
};

type Sql = {
  // "schema.table".
  tables_read: Set<String>,
  tables_written: Set<String>,
  // "schema.table.column".
  columns_read: Set<String>,
  columns_written: Set<String>,
  // How many tables it reads or writes.
  targets: Long,
  // Functions called, "schema.function": all; those that may change something; not PostgreSQL's own; run with their
  // owner's rights; whose code was not read.
  functions: Set<String>,
  functions_volatile: Set<String>,
  functions_user_defined: Set<String>,
  functions_definer: Set<String>,
  functions_unread: Set<String>,
  // Functions that run as triggers of what is written.
  triggers: Set<String>,
  // The most rows it can return or change, where its text says so.
  row_limit?: Long,
  // Whether a WHERE that is no tautology limits what is written; true where the question does not arise.
  bounded: Bool,
  // How many statements were sent together.
  statement_count: Long,
  run: String,
  client_address: String,
  on_behalf_of: Set<String>,
  now: Long,
};

type Reveal = {
  // Where the labelled data is.
  resource: Resource,
  run: String,
  client_address: String,
  on_behalf_of: Set<String>,
  now: Long,
};

type Use = {
  // Where the labelled data is.
  resource: Resource,
  // "schema.table" and "schema.table.column"; "*" where it could be any.
  table: String,
  column: String,
  // How: ${FILTER_USES.join(", ")}; of order: ${ORDER_USES.join(", ")}.
  use: String,
  run: String,
  client_address: String,
  on_behalf_of: Set<String>,
  now: Long,
};

type Copy = {
  // Where the labelled data is.
  resource: Resource,
  table: String,
  column: String,
  // Where to: "schema.table.column", "file", "program", a function as "name()"; "*" from code that is not read.
  target: String,
  run: String,
  client_address: String,
  on_behalf_of: Set<String>,
  now: Long,
};

action "${CONNECT}" appliesTo { principal: [Agent], resource: [Resource], context: Session };
action "${REVEAL}" appliesTo { principal: [Agent], resource: [Label], context: Reveal };
action "${FILTER}" appliesTo { principal: [Agent], resource: [Label], context: Use };
action "${ORDER}" appliesTo { principal: [Agent], resource: [Label], context: Use };
action "${COPY}" appliesTo { principal: [Agent], resource: [Label], context: Copy };

action "${SQL_ANY}";
${[...groups]
  .filter((group) => group !== SQL_ANY && isOnlyGroup(group))
  .map((group) => `action "${group}" in ["${SQL_ANY}"];`)
  .join("\n")}
${[...groupsByLeaf]
  .filter(([, parents]) => parents.length > 0)
  .map(
    ([leaf, parents]) =>
      `action "${leaf}" in ["${parents[0]}"] appliesTo { principal: [Agent], resource: [Resource], context: Sql };`,
  )
  .join("\n")}
`;
