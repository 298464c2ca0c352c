import type { Migration } from "#event-store-postgres";

export const approvalMigrations: readonly Migration[] = [
  {
    name: "approval-001-tables",
    async up(runner) {
      await runner.query(TABLES);
    },
    async down(runner) {
      await runner.query("DROP SCHEMA approval CASCADE");
    },
  },
  {
    name: "approval-002-waiting",
    async up(runner) {
      await runner.query(WAITING);
    },
    async down(runner) {
      await runner.query("DROP TABLE approval.waiting");
    },
  },
  {
    name: "approval-003-replaced-by",
    async up(runner) {
      await runner.query("ALTER TABLE approval.approval ADD COLUMN replaced_by text NOT NULL DEFAULT ''");
    },
    async down(runner) {
      await runner.query("ALTER TABLE approval.approval DROP COLUMN replaced_by");
    },
  },
  {
    name: "approval-004-because",
    async up(runner) {
      await runner.query(BECAUSE);
    },
    async down(runner) {
      await runner.query("ALTER TABLE approval.approval DROP COLUMN because");
    },
  },
];

const BECAUSE = `
-- Why it was rejected or withdrawn; empty too of what ended before this was kept, until it is rebuilt.
ALTER TABLE approval.approval ADD COLUMN because text NOT NULL DEFAULT '';
`;

const TABLES = `
CREATE SCHEMA IF NOT EXISTS approval;

-- Every approval as its last event left it. That it has expired by the clock is computed where it is read.
CREATE TABLE approval.approval (
  id           text        PRIMARY KEY COLLATE "C",
  version      bigint      NOT NULL,
  status       text        NOT NULL
    CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn', 'consumed')),
  resource     text        NOT NULL,
  requested_at timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  -- json, not jsonb: a statement is kept as it came, with every character a JSON text can carry.
  held         json        NOT NULL,
  votes        json        NOT NULL
);
CREATE INDEX approval_page ON approval.approval (requested_at DESC, id DESC);
CREATE INDEX approval_expiry ON approval.approval (expires_at) WHERE status IN ('pending', 'approved');
`;

const WAITING = `
-- When the enforcer that holds an open approval's command last asked for it.
CREATE TABLE approval.waiting (
  approval_id text        PRIMARY KEY COLLATE "C",
  asked_at    timestamptz NOT NULL
);
`;
