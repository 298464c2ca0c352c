import type { Migration } from "#event-store-postgres";

export const identityMigrations: readonly Migration[] = [
  {
    name: "identity-001-issuers-keys-enforcers",
    async up(runner) {
      await runner.query(TABLES);
    },
    async down(runner) {
      await runner.query("DROP SCHEMA identity CASCADE");
    },
  },
  {
    name: "identity-002-presence",
    async up(runner) {
      await runner.query(PRESENCE);
    },
    async down(runner) {
      await runner.query("DROP TABLE identity.presence");
    },
  },
];

const PRESENCE = `
-- When an enforcer's user was last connected to the bus. Observed, so in no event.
CREATE TABLE identity.presence (
  bus_key text        PRIMARY KEY COLLATE "C",
  seen_at timestamptz NOT NULL
);
`;

const TABLES = `
CREATE SCHEMA IF NOT EXISTS identity;

CREATE TABLE identity.issuer (
  name       text   PRIMARY KEY COLLATE "C",
  -- One issuer an \`iss\`: which mapping holds for a token is never a guess.
  url        text   NOT NULL CONSTRAINT issuer_url UNIQUE,
  version    bigint NOT NULL,
  definition json   NOT NULL
);

CREATE TABLE identity.admin_key (
  id          text        PRIMARY KEY COLLATE "C",
  name        text        NOT NULL,
  roles       text[]      NOT NULL,
  secret_hash text        NOT NULL,
  created_at  timestamptz NOT NULL,
  revoked_at  timestamptz,
  version     bigint      NOT NULL
);

CREATE TABLE identity.enforcer (
  id               text        PRIMARY KEY COLLATE "C",
  name             text        NOT NULL,
  group_name       text        NOT NULL,
  listeners        json        NOT NULL,
  bus_key          text        NOT NULL,
  software_version text        NOT NULL,
  seen_at          timestamptz,
  removed          boolean     NOT NULL,
  version          bigint      NOT NULL
);
CREATE UNIQUE INDEX enforcer_name ON identity.enforcer (name) WHERE NOT removed;
`;
