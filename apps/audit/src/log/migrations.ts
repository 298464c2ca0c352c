import type { Migration } from "#event-store-postgres";

export const auditMigrations: readonly Migration[] = [
  {
    name: "audit-001-log",
    async up(runner) {
      await runner.query(LOG);
    },
    async down(runner) {
      await runner.query("DROP SCHEMA audit CASCADE");
    },
  },
  {
    name: "audit-002-leases",
    async up(runner) {
      await runner.query(LEASES);
    },
    async down(runner) {
      await runner.query("DROP TABLE audit.lease");
    },
  },
  {
    name: "audit-003-concluded",
    async up(runner) {
      await runner.query(CONCLUDED);
    },
    async down(runner) {
      await runner.query("ALTER TABLE audit.lease DROP COLUMN expires_at, DROP COLUMN settled");
      await runner.query("DROP INDEX audit.session_without_end");
    },
  },
];

const LOG = `
CREATE SCHEMA audit;

CREATE TABLE audit.entry (
  index       bigint      PRIMARY KEY,
  time        timestamptz NOT NULL,
  origin      text        NOT NULL CHECK (origin IN ('control', 'edge')),
  -- Where the fact comes from, and its place there: each fact stands here once.
  source      text        NOT NULL,
  sequence    bigint      NOT NULL,
  type        text        NOT NULL,
  session_id  text        NOT NULL,
  -- text, not json: exactly the bytes that were hashed.
  json        text        NOT NULL,
  leaf_hash   bytea       NOT NULL CHECK (length(leaf_hash) = 32),
  appended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (source, sequence)
);
CALL es.make_append_only('audit.entry');

-- The size of the log and the roots of its tree's perfect subtrees. Its row lock makes the index dense.
CREATE TABLE audit.head (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  size     bigint  NOT NULL,
  frontier bytea   NOT NULL
);
INSERT INTO audit.head VALUES (true, 0, '');

-- How far each spool has been taken in.
CREATE TABLE audit.source (
  enforcer_id   text        NOT NULL,
  source        text        NOT NULL,
  last_sequence bigint      NOT NULL DEFAULT 0,
  first_seen    timestamptz NOT NULL DEFAULT now(),
  last_seen     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (enforcer_id, source)
);

-- When each enforcer last began anew: its sessions of before are not coming back.
CREATE TABLE audit.enforcer (
  enforcer_id text        PRIMARY KEY,
  started_at  timestamptz NOT NULL
);

CREATE TABLE audit.session (
  id                 text PRIMARY KEY,
  enforcer_id        text        NOT NULL,
  source             text        NOT NULL,
  status             text        NOT NULL CHECK (status IN ('open', 'ended', 'lost')),
  principal_id       text        NOT NULL,
  principal          json        NOT NULL,
  resource           text        NOT NULL,
  protocol           text        NOT NULL,
  token_id           text        NOT NULL,
  client_address     text        NOT NULL,
  client_application text        NOT NULL,
  started_at         timestamptz NOT NULL,
  ended_at           timestamptz,
  ended_because      text        NOT NULL DEFAULT '',
  commands           bigint      NOT NULL DEFAULT 0,
  refused            bigint      NOT NULL DEFAULT 0,
  values_masked      numeric     NOT NULL DEFAULT 0
);
CREATE INDEX ON audit.session (started_at DESC, id DESC);
CREATE INDEX ON audit.session (enforcer_id) WHERE status = 'open';

CREATE TABLE audit.command (
  session_id     text        NOT NULL,
  ordinal        bigint      NOT NULL,
  statement      text        NOT NULL,
  parameters     text[]      NOT NULL,
  actions        text[]      NOT NULL,
  tables_read    text[]      NOT NULL,
  tables_written text[]      NOT NULL,
  verdict        text        NOT NULL CHECK (verdict IN ('allow', 'hold', 'deny')),
  status         text        NOT NULL CHECK (status IN ('running', 'held', 'done', 'failed', 'refused', 'unknown')),
  policies       text[]      NOT NULL,
  -- numeric where the bus has uint64.
  policy_epoch   numeric     NOT NULL,
  approval_id    text        NOT NULL DEFAULT '',
  rows           numeric     NOT NULL DEFAULT 0,
  bytes          numeric     NOT NULL DEFAULT 0,
  values_masked  numeric     NOT NULL DEFAULT 0,
  duration_us    numeric     NOT NULL DEFAULT 0,
  error_code     text        NOT NULL DEFAULT '',
  reason         text        NOT NULL DEFAULT '',
  at             timestamptz NOT NULL,
  PRIMARY KEY (session_id, ordinal)
);
`;

const LEASES = `
-- Which enforcer redeemed a token for which session: all that it may record sessions of.
CREATE TABLE audit.lease (
  session_id  text PRIMARY KEY,
  enforcer_id text NOT NULL,
  -- Of the token.
  stream_id   text NOT NULL
);
INSERT INTO audit.lease
  SELECT body ->> 'sessionId', body ->> 'enforcerId', stream_id FROM es.event
  WHERE type = 'TokenRedeemed' AND stream_id LIKE 'token-%' ON CONFLICT DO NOTHING;
`;

const CONCLUDED = `
ALTER TABLE audit.entry DROP CONSTRAINT entry_origin_check,
  ADD CONSTRAINT entry_origin_check CHECK (origin IN ('control', 'edge', 'audit')) NOT VALID;

-- Sessions of which nobody has told how they ended.
CREATE INDEX session_without_end ON audit.session (source) WHERE status <> 'ended' AND ended_because = '';

ALTER TABLE audit.lease
  -- Of the token: the session is over by then.
  ADD COLUMN expires_at timestamptz,
  -- Whether it was looked at, some time after that, if somebody has told how it ended.
  ADD COLUMN settled boolean NOT NULL DEFAULT false;
UPDATE audit.lease SET expires_at = to_timestamp((minted.body #>> '{grant,expiresAt}')::numeric / 1000)
  FROM es.event minted WHERE minted.stream_id = lease.stream_id AND minted.stream_pos = 1;
CREATE INDEX lease_unsettled ON audit.lease (expires_at) WHERE NOT settled;
`;
