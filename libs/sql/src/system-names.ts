import type { SqlAction } from "#commands";

/** What of PostgreSQL's own catalogs and functions needs a word of its own. Lists, from the manual's chapters 9, 20, 52, 53. */

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/**
 * Columns of system views that count the rows, pages, bytes or calls on a statement's way: asked before and after, they
 * tell how far it went in the order of an index, or how long a value is. Manual, 28.2 and 54.13.
 */
const COUNTS: Readonly<Record<string, readonly string[]>> = {
  ...views("pg_stat_xact_%_tables", "seq_scan seq_tup_read idx_scan idx_tup_fetch"),
  ...views("pg_stat_%_tables", "seq_scan last_seq_scan seq_tup_read idx_scan last_idx_scan idx_tup_fetch"),
  ...views("pg_stat_%_indexes", "idx_scan last_idx_scan idx_tup_read idx_tup_fetch"),
  ...views(
    "pg_statio_%_tables",
    `heap_blks_read heap_blks_hit idx_blks_read idx_blks_hit toast_blks_read toast_blks_hit tidx_blks_read
    tidx_blks_hit`,
  ),
  ...views("pg_statio_%_indexes", "idx_blks_read idx_blks_hit"),
  ...views("pg_stat_user_functions pg_stat_xact_user_functions", "calls total_time self_time"),
  pg_stat_database: words(
    `blks_read blks_hit tup_returned tup_fetched temp_files temp_bytes blk_read_time blk_write_time
    parallel_workers_to_launch parallel_workers_launched`,
  ),
  pg_stat_wal: words("wal_records wal_fpi wal_bytes wal_buffers_full wal_write wal_write_time"),
  pg_stat_io: words(
    `reads read_bytes read_time writes write_bytes write_time writebacks extends extend_bytes hits evictions reuses`,
  ),
  pg_locks: words("page tuple"),
  pg_backend_memory_contexts: words("total_bytes total_nblocks free_bytes free_chunks used_bytes"),
};

/** The same columns of each view, `%` standing for all, system and user ones. */
function views(names: string, columns: string): Record<string, readonly string[]> {
  const each = words(names).flatMap((name) =>
    name.includes("%") ? ["all", "sys", "user"].map((of) => name.replace("%", of)) : [name],
  );
  return Object.fromEntries(each.map((name) => [name, words(columns)]));
}

/** Whose relations are the server's own. */
export const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(["pg_catalog", "information_schema", "pg_toast"]);

/** Columns of system relations that can show values of any table, or statements that hold them. `*`: all of them. */
export const LEAKING_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  ...COUNTS,
  pg_statistic: ["*"],
  pg_statistic_ext_data: ["*"],
  pg_stats: ["*"],
  pg_stats_ext: ["*"],
  pg_stats_ext_exprs: ["*"],
  pg_largeobject: ["*"],
  pg_attribute: ["attmissingval"],
  pg_stat_activity: ["query"],
  pg_stat_statements: ["query"],
  pg_prepared_statements: ["statement"],
  pg_cursors: ["statement"],
};

/** Columns of system relations that hold credentials. */
export const SECRET_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  pg_authid: ["rolpassword"],
  pg_shadow: ["passwd"],
  pg_user_mapping: ["umoptions"],
  pg_user_mappings: ["umoptions"],
  _pg_user_mappings: ["umoptions"],
  user_mapping_options: ["option_value"],
  pg_subscription: ["subconninfo"],
  pg_stat_wal_receiver: ["conninfo"],
};

/** Columns that every table has besides its own. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]);

/** System views that read files of the server. */
export const READS_FILES: ReadonlySet<string> = new Set([
  "pg_hba_file_rules",
  "pg_ident_file_mappings",
  "pg_file_settings",
]);

/** Volatile functions of pg_catalog that change nothing and show nothing but the state of the server. */
export const HARMLESS_VOLATILE: ReadonlySet<string> = new Set(
  `amvalidate array_sample array_shuffle clock_timestamp current_query currval gen_random_uuid lastval pg_blocking_pids
  pg_collation_actual_version pg_column_compression pg_current_logfile pg_database_collation_actual_version pg_database_size
  pg_export_snapshot pg_get_multixact_members pg_get_wal_replay_pause_state pg_indexes_size pg_is_in_recovery
  pg_is_wal_replay_paused pg_isolation_test_session_is_blocked pg_jit_available pg_last_committed_xact
  pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
  pg_notification_queue_usage pg_partition_ancestors pg_partition_tree pg_relation_size
  pg_replication_origin_progress pg_safe_snapshot_blocking_pids pg_sequence_last_value
  pg_sequence_read_tuple pg_get_sequence_data pg_get_loaded_modules pg_get_process_memory_contexts
  pg_sleep pg_sleep_for pg_sleep_until
  pg_stat_clear_snapshot pg_stat_force_next_flush pg_stat_get_recovery_prefetch pg_stat_get_xact_tuples_deleted
  pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_newpage_updated
  pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_updated pg_stat_have_stats
  pg_table_size pg_tablespace_size pg_total_relation_size pg_xact_commit_timestamp
  pg_xact_commit_timestamp_origin pg_xact_status random random_normal setseed timeofday txid_status uuidv4 uuidv7
  `
    .trim()
    .split(/\s+/),
);

/** Of the harmless ones, those that show later what they were given. */
export const KEEPS_ARGUMENTS: ReadonlySet<string> = new Set(["setseed", "pg_sleep", "pg_sleep_for", "pg_sleep_until"]);

/** Functions of pg_catalog with an action of their own. */
export const FUNCTION_ACTIONS: Readonly<Record<string, SqlAction>> = {
  nextval: "sql:nextval",
  setval: "sql:nextval",
  pg_notify: "sql:notify",
  set_config: "sql:set",
  pg_advisory_lock: "sql:lock",
  pg_advisory_lock_shared: "sql:lock",
  pg_advisory_unlock: "sql:lock",
  pg_advisory_unlock_all: "sql:lock",
  pg_advisory_unlock_shared: "sql:lock",
  pg_advisory_xact_lock: "sql:lock",
  pg_advisory_xact_lock_shared: "sql:lock",
  pg_try_advisory_lock: "sql:lock",
  pg_try_advisory_lock_shared: "sql:lock",
  pg_try_advisory_xact_lock: "sql:lock",
  pg_try_advisory_xact_lock_shared: "sql:lock",
};

/** Not volatile, yet what they give is not made of their arguments: they read tables, statements of others, statistics. */
export const REACHING: ReadonlySet<string> = new Set(
  `table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema
  schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema query_to_xml
  query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema ts_stat ts_rewrite
  pg_stat_get_activity pg_stat_get_backend_activity pg_prepared_statement pg_cursor pg_mcv_list_items`
    .trim()
    .split(/\s+/),
);

/** What the counting views are made of, and where the write-ahead log has come to. */
export const MEASURES =
  /^(pg_stat_get_((xact_|db_)?(numscans|lastscan|tuples_returned|tuples_fetched|blocks_fetched|blocks_hit|function_calls|function_(self|total)_time|temp_files|temp_bytes|blk_(read|write)_time|parallel_workers_(to_launch|launched))|(backend_)?(wal|io))|pg_lock_status|pg_current_wal_(insert_|flush_)?lsn)$/;

/** Functions of contrib modules that run SQL text or read what no statement names. Whoever made them: by name alone. */
export const RUNS_SQL =
  /^(dblink.*|crosstab.*|connectby|xpath_table|get_raw_page|plan_.*|pg_stat_statements|heap_page_.*)$/;

/** Volatile or stable functions of well-known extensions, written in C, that read only their arguments. */
export const HARMLESS_EXTENSION: ReadonlySet<string> = new Set(
  `uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 gen_random_uuid gen_random_bytes gen_salt unaccent show_limit
  show_trgm`
    .trim()
    .split(/\s+/),
);
