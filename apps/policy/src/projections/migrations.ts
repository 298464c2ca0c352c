import type { Migration } from "#event-store-postgres";

export const policyMigrations: readonly Migration[] = [
  {
    name: "policy-001-declared",
    async up(runner) {
      await runner.query(DECLARED);
    },
    async down(runner) {
      await runner.query("DROP SCHEMA policy CASCADE");
    },
  },
];

const DECLARED = `
CREATE SCHEMA IF NOT EXISTS policy;

-- What is declared now: resources, labels and policies alike, whole.
CREATE TABLE policy.declared (
  kind       text   NOT NULL CHECK (kind IN ('resource', 'label', 'policy')),
  name       text   NOT NULL COLLATE "C",
  version    bigint NOT NULL,
  -- json, not jsonb: kept as it came, with every character a JSON text can carry.
  definition json   NOT NULL,
  -- The resource's enforcers; null for what concerns all groups.
  group_name text,
  PRIMARY KEY (kind, name)
);
CREATE INDEX declared_group ON policy.declared (group_name);

-- One row a group of enforcers that has resources or has asked for a bundle. It rises by one with every change.
CREATE TABLE policy.bundle_epoch (
  group_name    text   PRIMARY KEY COLLATE "C",
  epoch         bigint NOT NULL CHECK (epoch > 0),
  lease_seconds int    NOT NULL
);
`;
