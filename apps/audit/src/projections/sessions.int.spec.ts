import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { DataSource } from "typeorm";
import type { AuditEntry, Json } from "#audit-log";
import { eventStoreMigrations, migrate } from "#event-store-postgres";
import { type FreshDatabase, freshDatabase } from "../../../../test/servers/postgres.js";
import { auditMigrations } from "../log/migrations.js";
import { projectSessions } from "./sessions.js";

let database: FreshDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await new DataSource({ type: "postgres", url: database.url }).initialize();
  await migrate(dataSource, [...eventStoreMigrations, ...auditMigrations]);
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

const TABLES = ["enforcer", "session", "command"];

async function projected(batches: readonly (readonly AuditEntry[])[]): Promise<unknown> {
  for (const table of TABLES) await dataSource.query(`DELETE FROM audit.${table}`);
  for (const batch of batches) await dataSource.transaction((tx) => projectSessions(tx, batch));
  return Promise.all(TABLES.map((table) => dataSource.query(`SELECT * FROM audit.${table} ORDER BY 1, 2`)));
}

const text = fc.constantFrom("", "a", 'quote " back \\ { , } NULL', "NULL", "ä€😀", "nul \0", "new\nline");
const texts = fc.array(text, { maxLength: 3 });
const number = fc.constantFrom("0", "1", "18446744073709551615");
const ordinal = fc.constantFrom("1", "2", "3");
const parameters = fc.array(
  fc.oneof(
    text.map((value) => ({ text: value })),
    fc.constant({ binary: "Af8=" }),
    fc.constant({ null: true }),
  ),
  { maxLength: 2 },
);
const command = fc.record({
  ordinal,
  statement: text,
  parameters,
  actions: texts,
  tables_read: texts,
  tables_written: texts,
  policies: texts,
  policy_epoch: number,
});
const approval_id = fc.constantFrom("", "ap-1");
const facts = fc.oneof(
  fc.tuple(
    fc.constant("session.started"),
    fc.record({ principal: fc.record({ id: text, name: text }), resource: text }),
  ),
  fc.tuple(fc.constant("session.ended"), fc.record({ cause: text, message: text })),
  { weight: 3, arbitrary: fc.tuple(fc.constant("command.started"), fc.record({ command, approval_id })) },
  fc.tuple(fc.constant("command.held"), fc.record({ command, approval_id, reason: text })),
  fc.tuple(fc.constant("hold.ended"), fc.record({ ordinal, reason: text })),
  fc.tuple(fc.constant("command.refused"), fc.record({ command, approval_id, code: text, reason: text })),
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant("command.ended"),
      fc.record({
        ordinal,
        rows: number,
        bytes: number,
        values_masked: number,
        duration_us: number,
        error_code: text,
        error_message: text,
      }),
    ),
  },
  fc.tuple(fc.constant("record.unreadable"), fc.record({ why: text })),
);
const edgeEntry = fc
  .tuple(facts, fc.constantFrom("", "s-1", "s-2", "s-3"), fc.constantFrom("e-1", "e-2"), fc.constantFrom("x", "y"))
  .map(([[type, data], sessionId, enforcerId, spool]) => ({
    origin: "edge" as const,
    source: `${enforcerId}/${spool}`,
    type,
    sessionId: type === "record.unreadable" ? "" : sessionId,
    data: { enforcer_id: enforcerId, ...data } as Json,
  }));
const concluded = fc
  .tuple(
    fc.constantFrom("session.lost", "session.unheard"),
    fc.constantFrom("s-1", "s-2", "s-3"),
    fc.constantFrom("e-1", "e-2"),
  )
  .map(([type, sessionId, enforcer_id]) => ({
    ...{ origin: "audit" as const, source: "audit", type, sessionId },
    data: { enforcer_id, why: "nobody told" } as Json,
  }));
const enrolled = fc.constantFrom("e-1", "e-2").map((id) => ({
  origin: "control" as const,
  source: "control",
  type: "enforcer.enrolled",
  sessionId: "",
  data: { stream: `enforcer/${id}`, event: {} },
}));
const entries = fc
  .array(
    fc.tuple(
      fc.oneof({ weight: 12, arbitrary: edgeEntry }, concluded, { weight: 1, arbitrary: enrolled }),
      fc.nat(50),
      fc.constantFrom(1, 2, 2, 2),
    ),
    { minLength: 1, maxLength: 40 },
  )
  .map((list) =>
    list.map(
      ([entry, second, sequence], n): AuditEntry => ({
        ...entry,
        index: n + 1,
        sequence,
        time: new Date(1_700_000_000_000 + second * 1000).toISOString(),
      }),
    ),
  );

describe("the read models", () => {
  it("are the same however the entries come together", async () => {
    await fc.assert(
      fc.asyncProperty(
        entries,
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 40, maxLength: 40 }),
        async (list, sizes) => {
          const oneByOne = await projected(list.map((entry) => [entry]));
          expect(await projected([list])).toEqual(oneByOne);
          const left = [...list];
          expect(await projected(sizes.map((size) => left.splice(0, size)))).toEqual(oneByOne);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("hold what a statement was, in PostgreSQL's own arrays", async () => {
    const sessionId = randomUUID();
    const of = (n: number, type: string, data: object): AuditEntry => ({
      index: n,
      time: "2026-01-02T03:04:05.678Z",
      origin: "edge",
      source: "e/x",
      sequence: n,
      type,
      sessionId,
      data: { enforcer_id: "e", ...data } as Json,
    });
    const policies = ['a "b"', "c\\d", "{e,f}", "NULL", "", "ä"];
    await projected([
      [
        of(1, "session.started", { principal: { id: "p" } }),
        of(2, "command.started", { command: { ordinal: "1", statement: "select 1", policies, policy_epoch: "7" } }),
      ],
    ]);
    const [row] = await dataSource.query("SELECT * FROM audit.command");
    expect(row).toMatchObject({
      session_id: sessionId,
      statement: "select 1",
      policies,
      parameters: [],
      at: new Date("2026-01-02T03:04:05.678Z"),
    });
  });
});
