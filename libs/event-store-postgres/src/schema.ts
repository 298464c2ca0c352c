import type { MigrationInterface, QueryRunner } from "typeorm";

/** The event store's own tables and functions, all in schema `es`. */
export const eventStoreMigrations: readonly MigrationInterface[] = [
  {
    name: "es-001-event-store",
    async up(runner: QueryRunner) {
      await runner.query(EVENT_STORE);
    },
    async down(runner: QueryRunner) {
      await runner.query("DROP SCHEMA es CASCADE");
    },
  },
];

/** What the functions raise. */
export const SQLSTATE = {
  versionConflict: "ES001",
  commandIdReused: "ES002",
  fenced: "ES003",
  streamTypeDiffers: "ES004",
  appendOnly: "ES009",
} as const;

const EVENT_STORE = `
CREATE SCHEMA IF NOT EXISTS es;

CREATE TABLE es.stream (
  stream_id   text PRIMARY KEY,
  stream_type text   NOT NULL,
  version     bigint NOT NULL CHECK (version > 0)
);

CREATE TABLE es.event (
  stream_id   text        NOT NULL,
  stream_pos  bigint      NOT NULL,
  event_id    uuid        NOT NULL UNIQUE,
  type        text        NOT NULL,
  schema_ver  smallint    NOT NULL,
  -- json, not jsonb: kept as it came, with every character a JSON text can carry.
  body        json        NOT NULL,
  meta        json        NOT NULL,
  recorded_at timestamptz NOT NULL,
  PRIMARY KEY (stream_id, stream_pos)
);

-- One row a command: the same command again answers as the first time and appends nothing.
CREATE TABLE es.command (
  command_id uuid   PRIMARY KEY,
  req_hash   bytea  NOT NULL,
  stream_id  text   NOT NULL,
  first_pos  bigint NOT NULL,
  last_pos   bigint NOT NULL
);

-- What is appended waits here until the sequencer gives it its place. The sequence's CACHE must stay 1: a stream's later
-- events must get higher numbers, whichever session appends them.
CREATE TABLE es.pending (
  seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream_id  text   NOT NULL,
  stream_pos bigint NOT NULL
);

-- The global order: dense, assigned by one fenced sequencer, stored, so it survives dump and restore.
CREATE TABLE es.log (
  pos        bigint PRIMARY KEY,
  stream_id  text   NOT NULL,
  stream_pos bigint NOT NULL,
  UNIQUE (stream_id, stream_pos),
  FOREIGN KEY (stream_id, stream_pos) REFERENCES es.event
);

CREATE TABLE es.head (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  next_pos bigint  NOT NULL,
  -- A new sequencer raises it; the old one is fenced.
  epoch    bigint  NOT NULL
);
INSERT INTO es.head VALUES (true, 1, 1);

CREATE TABLE es.checkpoint (
  consumer text   PRIMARY KEY,
  pos      bigint NOT NULL DEFAULT 0,
  -- How often the projection has been rebuilt.
  epoch    bigint NOT NULL DEFAULT 0
);

-- p_expected: -1 any, 0 the stream must not exist, n its exact version.
CREATE FUNCTION es.append(p_stream text, p_type text, p_expected bigint, p_command uuid, p_hash bytea, p_ids uuid[],
  p_types text[], p_vers smallint[], p_bodies json[], p_meta json, OUT o_first bigint, OUT o_last bigint, OUT o_replayed boolean, OUT o_at timestamptz)
LANGUAGE plpgsql SET search_path = es, pg_temp AS $$
DECLARE
  n     int := cardinality(p_ids);
  v     bigint;
  t     text;
  known es.command;
BEGIN
  IF n = 0 THEN
    RAISE EXCEPTION 'an append has at least one event' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- The stream row is locked first, so positions and es.pending.seq are given out under its lock.
  INSERT INTO stream AS s VALUES (p_stream, p_type, n)
    ON CONFLICT (stream_id) DO UPDATE SET version = s.version + n RETURNING s.version, s.stream_type INTO v, t;
  SELECT * INTO known FROM command WHERE command_id = p_command;
  IF FOUND THEN
    IF known.req_hash <> p_hash OR known.stream_id <> p_stream THEN
      RAISE EXCEPTION 'command id reused for another request' USING ERRCODE = 'ES002';
    END IF;
    UPDATE stream SET version = v - n WHERE stream_id = p_stream;
    o_first := known.first_pos; o_last := known.last_pos; o_replayed := true;
    RETURN;
  END IF;
  IF t <> p_type THEN
    RAISE EXCEPTION 'stream % is of type %, not %', p_stream, t, p_type USING ERRCODE = 'ES004';
  END IF;
  IF p_expected >= 0 AND v - n <> p_expected THEN
    RAISE EXCEPTION 'expected version %, found %', p_expected, v - n USING ERRCODE = 'ES001', DETAIL = (v - n)::text;
  END IF;
  -- A racer with the same id on another stream waits here for the first to commit.
  INSERT INTO command VALUES (p_command, p_hash, p_stream, v - n + 1, v) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'command id reused for another request' USING ERRCODE = 'ES002';
  END IF;
  -- Milliseconds: what every reader of it can hold.
  o_at := date_trunc('milliseconds', clock_timestamp());
  INSERT INTO event (stream_id, stream_pos, event_id, type, schema_ver, body, meta, recorded_at)
    SELECT p_stream, v - n + o, i, e, r, b, p_meta, o_at
    FROM unnest(p_ids, p_types, p_vers, p_bodies) WITH ORDINALITY AS u (i, e, r, b, o);
  INSERT INTO pending (stream_id, stream_pos) SELECT p_stream, g FROM generate_series(v - n + 1, v) g ORDER BY g;
  PERFORM pg_notify('es_pending', '');
  o_first := v - n + 1; o_last := v; o_replayed := false;
END $$;

-- Gives at most p_max waiting events their place and answers how many got one.
CREATE FUNCTION es.sequence(p_epoch bigint, p_max int) RETURNS int
LANGUAGE plpgsql SET search_path = es, pg_temp AS $$
DECLARE
  h bigint;
  k int;
BEGIN
  SELECT next_pos INTO h FROM head WHERE epoch = p_epoch FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'another sequencer has taken over' USING ERRCODE = 'ES003';
  END IF;
  WITH taken AS (
    DELETE FROM pending WHERE seq IN (SELECT seq FROM pending ORDER BY seq LIMIT p_max) RETURNING *
  ), placed AS (
    INSERT INTO log SELECT h - 1 + row_number() OVER (ORDER BY seq), stream_id, stream_pos FROM taken RETURNING 1
  )
  SELECT count(*) INTO k FROM placed;
  IF k > 0 THEN
    UPDATE head SET next_pos = h + k;
    PERFORM pg_notify('es_log', (h + k - 1)::text);
  END IF;
  RETURN k;
END $$;

-- Guards a table against change. PostgreSQL prevents (this, and a role without UPDATE, DELETE, TRUNCATE); the audit log's
-- Merkle tree detects.
CREATE FUNCTION es.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'ES009';
END $$;

CREATE PROCEDURE es.make_append_only(p_table regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON %s
    FOR EACH ROW EXECUTE FUNCTION es.refuse_change()', p_table);
  EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON %s
    FOR EACH STATEMENT EXECUTE FUNCTION es.refuse_change()', p_table);
  -- Also where a session plays replica, which switches ordinary triggers off.
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only_rows, ENABLE ALWAYS TRIGGER append_only_table', p_table);
END $$;

CALL es.make_append_only('es.event');
CALL es.make_append_only('es.log');
CALL es.make_append_only('es.command');
`;
