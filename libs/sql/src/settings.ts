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

/** Harmless with these values only: any other changes how SQL is read or hides rows. */
const HARMLESS_VALUES: Readonly<Record<string, readonly string[]>> = {
  standard_conforming_strings: ["on", "true", "1", "yes"],
  client_encoding: ["utf8", "utf-8", "unicode"],
  backslash_quote: ["safe_encoding", "off"],
  transform_null_equals: ["off", "false", "0", "no"],
  // `off` turns hidden rows into errors, it shows none; pg_dump sets it.
  row_security: ["on", "true", "1", "yes", "off", "false", "0", "no"],
  session_replication_role: ["origin"],
};

export interface SettingEffect {
  readonly action: SqlAction;
  /** Set where the setting is search_path: its names, null for the default. */
  readonly searchPath?: readonly string[] | null;
  /** Set where the server now chooses otherwise how it works. */
  readonly plans?: true;
}

/** What setting a parameter means; `values` null is back to its default. What is not known is not harmless. */
export function settingEffect(name: string, values: readonly (string | undefined)[] | null): SettingEffect {
  const setting = name.toLowerCase();
  if (setting === "role" || setting === "session_authorization") return { action: "sql:set_role" };
  if (setting === "search_path") {
    if (values === null) return { action: "sql:session", searchPath: null };
    const path = values.filter((value) => value !== undefined);
    return path.length === values.length
      ? { action: "sql:session", searchPath: path.filter((schema) => schema !== "") }
      : { action: "sql:set" };
  }
  if (PLANNING.has(setting) || PLANNING_FAMILY.test(setting))
    return { action: "sql:session", ...(values !== null && { plans: true }) };
  if (isHarmless(setting)) return { action: "sql:session" };
  const allowed = HARMLESS_VALUES[setting];
  if (allowed === undefined) return { action: "sql:set" };
  const [value] = values ?? [];
  const harmless = values === null || (value !== undefined && allowed.includes(value.toLowerCase()));
  return { action: harmless ? "sql:session" : "sql:set" };
}

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
