import type { Migration } from "#event-store-postgres";

export const tokensMigrations: readonly Migration[] = [
  {
    name: "tokens-001-tables",
    async up(runner) {
      await runner.query(TABLES);
    },
    async down(runner) {
      await runner.query("DROP SCHEMA tokens CASCADE");
    },
  },
  {
    name: "tokens-002-exchanged-once",
    async up(runner) {
      await runner.query(EXCHANGED_ONCE);
    },
    async down(runner) {
      await runner.query("ALTER TABLE tokens.token DROP COLUMN subject_token_id");
    },
  },
];

const EXCHANGED_ONCE = `
-- The issuer's own id of what the token was exchanged for, where that was good for one token. The index keeps it so.
ALTER TABLE tokens.token ADD COLUMN subject_token_id text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX token_subject ON tokens.token (issuer, subject_token_id) WHERE subject_token_id <> '';
`;

const TABLES = `
CREATE SCHEMA IF NOT EXISTS tokens;

-- Every token as it is now. What its clock says (expired, window closed) is computed where it is read.
CREATE TABLE tokens.token (
  id             text        PRIMARY KEY COLLATE "C",
  version        bigint      NOT NULL,
  principal      json        NOT NULL,
  principal_id   text        NOT NULL,
  issuer         text        NOT NULL,
  run            text        NOT NULL,
  resource       text        NOT NULL,
  protocol       text        NOT NULL,
  scope          text[]      NOT NULL,
  mode           text        NOT NULL CHECK (mode IN ('once', 'burst', 'run')),
  uses           int         NOT NULL,
  used           int         NOT NULL,
  window_seconds int         NOT NULL,
  minted_at      timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  -- When the last use must have begun; null where there is no such time.
  closes_at      timestamptz,
  revoked_at     timestamptz,
  revoked_because text       NOT NULL
);
CREATE INDEX token_page ON tokens.token (minted_at DESC, id DESC);
CREATE INDEX token_live ON tokens.token (expires_at) WHERE revoked_at IS NULL;

-- Every session a token opened. The key is what keeps one session id from being leased twice.
CREATE TABLE tokens.lease (
  session_id  text        PRIMARY KEY COLLATE "C",
  token_id    text        NOT NULL,
  enforcer_id text        NOT NULL,
  opened_at   timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL,
  over_at     timestamptz,
  over_because text       NOT NULL
);
CREATE INDEX lease_token ON tokens.lease (token_id);

-- What a login is verified with, for as long as the token lives and a day more. Not in the log, so not part of a rebuild.
CREATE TABLE tokens.verifier (
  token_id    text        PRIMARY KEY COLLATE "C",
  -- HMAC of the secret half under the pepper: for where the whole token is sent.
  secret_hash bytea       NOT NULL,
  -- Of the token's protocol.
  verifier    text        NOT NULL,
  expires_at  timestamptz NOT NULL
);
CREATE INDEX verifier_expiry ON tokens.verifier (expires_at);
`;
