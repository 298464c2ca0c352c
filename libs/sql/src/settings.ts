import type { SqlAction } from "#commands";

/** Settings that neither widen what a session may do, nor change how SQL is read, nor hide what it does. */
const HARMLESS: ReadonlySet<string> = new Set(
  `application_name timezone datestyle intervalstyle extra_float_digits bytea_output xmlbinary xmloption
  statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout transaction_timeout
  client_min_messages maintenance_work_mem logical_decoding_work_mem temp_buffers
  synchronous_commit commit_delay check_function_bodies escape_string_warning
  default_tablespace default_table_access_method default_toast_compression temp_tablespaces
  default_transaction_isolation default_transaction_read_only default_transaction_deferrable
  transaction_isolation transaction_read_only transaction_deferrable
  lc_messages lc_monetary lc_numeric lc_time default_text_search_config
  effective_io_concurrency maintenance_io_concurrency max_parallel_maintenance_workers
  gin_fuzzy_search_limit gin_pending_list_limit array_nulls quote_all_identifiers
  tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count tcp_user_timeout client_connection_check_interval
  wal_compression synchronize_seqscans vacuum_cost_delay vacuum_cost_limit stats_fetch_consistency seed`
    .trim()
    .split(/\s+/),
);
const HARMLESS_FAMILY = /^(jit(_[a-z_]+)?|pg_trgm\.[a-z_]*similarity_threshold)$/;

/** By which the server chooses how it works, and so in which order: manual, 20.7 "Query Planning", and memory. */
const PLANNING: ReadonlySet<string> = new Set(
  `work_mem hash_mem_multiplier random_page_cost seq_page_cost cpu_tuple_cost cpu_index_tuple_cost cpu_operator_cost
  parallel_setup_cost parallel_tuple_cost effective_cache_size min_parallel_table_scan_size min_parallel_index_scan_size
  max_parallel_workers max_parallel_workers_per_gather parallel_leader_participation from_collapse_limit
  join_collapse_limit constraint_exclusion cursor_tuple_fraction plan_cache_mode recursive_worktable_factor
  default_statistics_target`
    .trim()
    .split(/\s+/),
);
/** What they take is a number, a switch or a word. */
const PLANNING_VALUE = /^[\w\s.+-]*$/;
const PLANNING_FAMILY = /^(enable_[a-z_]+|geqo(_[a-z_]+)?)$/;

const ON = ["on", "true", "1", "yes"];
const OFF = ["off", "false", "0", "no"];

/** With any other values the server would read a text otherwise than it is read here: nobody may set them. */
const READING: Readonly<Record<string, readonly string[]>> = {
  standard_conforming_strings: ON,
  client_encoding: ["utf8", "utf-8", "unicode"],
  transform_null_equals: OFF,
};

/** Harmless with these values only: any other hides rows, or leaves out what the schema does. */
const HARMLESS_VALUES: Readonly<Record<string, readonly string[]>> = {
  // In UTF-8 no byte of a backslash or a quote is part of another character.
  backslash_quote: ["safe_encoding", "on", "off"],
  // `off` turns hidden rows into errors, it shows none; pg_dump sets it.
  row_security: [...ON, ...OFF],
  session_replication_role: ["origin"],
};

export interface SettingEffect {
  readonly action: SqlAction;
  /** Why nobody may set it so. */
  readonly refused?: string;
  /** Set where the setting is search_path, and it is known to what: its names, null for the default. */
  readonly searchPath?: readonly string[] | null;
  /** Set where what names mean goes by it, and it is not known to what it is set. */
  readonly unsettles?: true;
  /** Set where it is the role that is set: see the effect of that name. */
  readonly role?: string | null | undefined;
  /** Set where the server now chooses otherwise how it works. */
  readonly plans?: true;
}

/** What setting a parameter means; `values` null is back to its default. What is not known is not harmless. */
export function settingEffect(name: string, values: readonly (string | undefined)[] | null): SettingEffect {
  const setting = name.toLowerCase();
  if (setting === "role") return { action: "sql:set_role", role: values === null ? undefined : (values[0] ?? null) };
  if (setting === "session_authorization") return { action: "sql:set_role", role: null };
  if (setting === "search_path") {
    if (values === null) return { action: "sql:session", searchPath: null };
    const path = values.filter((value) => value !== undefined);
    return path.length === values.length
      ? { action: "sql:session", searchPath: path.filter((schema) => schema !== "") }
      : { action: "sql:set", unsettles: true };
  }
  const read = READING[setting];
  if (read) {
    const same = values === null || isOneOf(read, values[0]);
    return { action: "sql:session", ...(!same && { refused: misread(setting, read[0]!) }) };
  }
  if (PLANNING.has(setting) || PLANNING_FAMILY.test(setting))
    return { action: "sql:session", ...(values !== null && { plans: true }) };
  if (isHarmless(setting)) return { action: "sql:session" };
  const allowed = HARMLESS_VALUES[setting];
  if (allowed === undefined) return { action: "sql:set" };
  return { action: values === null || isOneOf(allowed, values[0]) ? "sql:session" : "sql:set" };
}

const isOneOf = (allowed: readonly string[], value: string | undefined): boolean =>
  value !== undefined && allowed.includes(value.toLowerCase());

const misread = (setting: string, value: string): string =>
  `with another ${setting} than ${value} the server would read statements otherwise than they are read here: leave it so`;

/** Why a setting of which not all is known may not be set: it could be one that nobody may. @param value undefined: any. */
export function couldMisread(name: string | undefined, value: string | undefined): string | undefined {
  if (name !== undefined) return settingEffect(name, [value]).refused;
  return value !== undefined && KINDS.test(value)
    ? undefined
    : "which setting it sets cannot be told: name it in the text";
}
/** What pg_dump sets where the server knows the setting; no switch and no encoding is called so. */
const KINDS = /^ *(view|foreign-table)( *, *(view|foreign-table))* *$/;

/** Whether a setting is harmless whatever its value. */
export function isHarmless(name: string): boolean {
  const setting = name.toLowerCase();
  return HARMLESS.has(setting) || HARMLESS_FAMILY.test(setting);
}

/** Whether what is set could be what the server plans by. @param name @param value undefined: any. */
export const couldPlan = (name: string | undefined, value: string | undefined): boolean =>
  !(name !== undefined && isHarmless(name)) && (value === undefined || PLANNING_VALUE.test(value));

/** A search_path as text: names separated by commas, quoted or folded. */
export function pathNames(value: string): string[] {
  return [...value.matchAll(/"((?:[^"]|"")*)"|([^,\s"]+)/g)].map(([, quoted, plain]) =>
    quoted !== undefined ? quoted.replaceAll('""', '"') : (plain ?? "").toLowerCase(),
  );
}
