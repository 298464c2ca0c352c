/**
 * What an SQL statement can do, as policies name it. A group permits all of its leaves; `sql:any` permits every group.
 * The classifier emits leaves only.
 */
export const SQL_ACTIONS = {
  "sql:read": ["sql:select", "sql:show", "sql:explain", "sql:copy_out"],
  "sql:write": [
    "sql:insert",
    "sql:update",
    "sql:delete",
    "sql:merge",
    "sql:copy_in",
    "sql:truncate",
    "sql:lock",
    "sql:nextval",
  ],
  /** Harmless to data: transactions, cursors, settings that neither widen rights nor change how SQL is read. */
  "sql:session": ["sql:session"],
  "sql:ddl": [
    "sql:create_table",
    "sql:create_index",
    "sql:create_view",
    "sql:create_function",
    "sql:create_trigger",
    "sql:create_schema",
    "sql:create_other",
    "sql:alter_table",
    "sql:alter_other",
    "sql:drop_table",
    "sql:drop_index",
    "sql:drop_view",
    "sql:drop_function",
    "sql:drop_schema",
    "sql:drop_other",
    "sql:comment",
    "sql:reindex",
    "sql:refresh_view",
  ],
  "sql:admin": [
    "sql:grant",
    "sql:revoke",
    "sql:role",
    "sql:set_role",
    "sql:system",
    "sql:vacuum",
    "sql:copy_program",
    "sql:copy_file",
    /** A setting that widens rights, changes how SQL is read, or hides where data flows. */
    "sql:set",
  ],
  "sql:call": ["sql:call", "sql:do", "sql:function_write", "sql:notify"],
} as const;

export type SqlActionGroup = keyof typeof SQL_ACTIONS;
export type SqlAction = (typeof SQL_ACTIONS)[SqlActionGroup][number];

/** The group of all groups. */
export const SQL_ANY = "sql:any";
