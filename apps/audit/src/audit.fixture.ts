import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { DataSource } from "typeorm";
import { type Bus, ensureStreams } from "#bus";
import { type RunningService, startService } from "#bus/nest";
import { auditV1, edgeV1, pushSubject } from "#contracts";
import { PostgresEventStore } from "#event-store-postgres";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { AuditModule } from "./audit.module.js";
import { UnheardSweep } from "./intake/unheard-sweep.js";

export type RecordInit = MessageInitShape<typeof edgeV1.RecordSchema>;

export const principal = {
  id: "ci|repo:shop",
  issuer: "ci",
  subject: "repo:shop",
  name: "shop",
  groups: ["ci"],
  run: "42",
};
export const started = (sessionId: string, over = {}): RecordInit => ({
  sessionId,
  fact: {
    case: "sessionStarted",
    value: {
      principal,
      resource: "shop",
      protocol: "postgres",
      tokenId: `t-${sessionId}`,
      clientAddress: "127.0.0.1:9",
      ...over,
    },
  },
});
export const ended = (sessionId: string): RecordInit => ({
  sessionId,
  fact: { case: "sessionEnded", value: { cause: "client" } },
});
export const command = (ordinal: number, statement = "select 1") => ({
  ordinal: BigInt(ordinal),
  statement,
  actions: ["sql:select"],
  tablesRead: ["public.customers"],
  policies: ["readers"],
  policyEpoch: 3n,
  parameters: [
    { value: { case: "text" as const, value: "a" } },
    { value: { case: "binary" as const, value: Buffer.from([1, 255]) } },
    { value: { case: "null" as const, value: true } },
  ],
});
export const runs = (sessionId: string, ordinal: number, over = {}): RecordInit => ({
  sessionId,
  fact: { case: "commandStarted", value: { command: command(ordinal), ...over } },
});
export const done = (sessionId: string, ordinal: number, over = {}): RecordInit => ({
  sessionId,
  fact: {
    case: "commandEnded",
    value: { ordinal: BigInt(ordinal), rows: 3n, bytes: 99n, valuesMasked: 2n, durationUs: 1500n, ...over },
  },
});

export const until = async (condition: () => Promise<boolean> | boolean) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
};

export const context = () => ({ actor: { id: "ada", name: "Ada", roles: ["auditor"] }, commandId: randomUUID() });

/** The audit service on servers of its own, what others decide beside it, and enforcers that tell it. */
export class RunningAudit {
  #service: RunningService | undefined;
  readonly #leased = new Set<string>();

  private constructor(
    readonly bus: Bus,
    private readonly nats: FreshNats,
    private readonly database: FreshDatabase,
  ) {}

  static async start(): Promise<RunningAudit> {
    const [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
    const audit = new RunningAudit(await nats.connect("test"), nats, database);
    await audit.start();
    // The service makes them in its own time, and records that come before are refused.
    await ensureStreams(audit.bus);
    return audit;
  }

  async start(): Promise<void> {
    this.#service = await startService({
      bus: { url: this.nats.url, name: "audit", credentials: readFileSync(this.nats.credentials.control, "utf8") },
      modules: [AuditModule.register({ databaseUrl: this.database.url })],
      logger: false,
    });
  }

  async stop(): Promise<void> {
    await this.#service?.close();
    this.#service = undefined;
  }

  async drop(): Promise<void> {
    await this.stop();
    await Promise.all([this.database.drop(), this.nats.drop()]);
  }

  get dataSource(): DataSource {
    return this.#service!.app.get(DataSource, { strict: false });
  }

  /** Looks for sessions whose end nobody told, as if it were `at`. */
  sweep(at: number): Promise<void> {
    return this.#service!.app.get(UnheardSweep, { strict: false }).sweep(at);
  }

  /** Everything in the log. */
  async entries(): Promise<auditV1.Entry[]> {
    const found: auditV1.Entry[] = [];
    for (;;) {
      const after = found.at(-1)?.index ?? 0n;
      const { entries, head } = await this.bus.call(auditV1.Audit.method.listEntries, { after, limit: 7 }, context());
      found.push(...entries);
      if ((found.at(-1)?.index ?? 0n) >= head) return found;
    }
  }

  async ofSource(source: string) {
    const entries = (await this.entries()).map((entry) => JSON.parse(entry.json));
    return entries.filter((entry) => entry.source === source);
  }

  /** An enforcer with its spool, as the audit service sees it. */
  enforcer(id = `edge-${randomUUID().slice(0, 8)}`, source: string = randomUUID()) {
    const { bus } = this;
    const lease = (batch: readonly RecordInit[]) => this.#lease(id, batch);
    const gaps: number[] = [];
    let sequence = 0;
    let acknowledged = 0;
    let clock = Date.now();
    bus.subscribePush([pushSubject.node(id)], ({ message }) => {
      if (message.case === "spoolAcknowledged" && message.value.source === source) {
        acknowledged = Math.max(acknowledged, Number(message.value.sequence));
        if (message.value.gap) gaps.push(Number(message.value.sequence));
      }
    });
    const records = (...facts: RecordInit[]): RecordInit[] =>
      facts.map((fact) => ({ time: timestampFromMs(clock++), ...fact, sequence: BigInt(++sequence) }));
    return {
      id,
      source,
      name: `${id}/${source}`,
      records,
      /** Sessions that begin are leased to it, unless another one has them. */
      async publish(batch: RecordInit[], oldest = 0) {
        await lease(batch);
        await bus.publishRecords(id, encoded(source, batch, oldest));
      },
      async ship(...facts: RecordInit[]) {
        await this.publish(records(...facts));
      },
      forge: (...facts: RecordInit[]) => bus.publishRecords(id, encoded(source, records(...facts))),
      acknowledged: (wanted = sequence) => until(() => acknowledged >= wanted),
      /** Where it was asked to send again from. */
      gaps,
      get told() {
        return acknowledged;
      },
    };
  }

  /** Puts an event into the store, as the service it is of does; gives the command's id. */
  async decide(
    type: string,
    data: object,
    streamType = "policy",
    streamId = `policy-${randomUUID()}`,
  ): Promise<string> {
    const store = this.#service!.app.get(PostgresEventStore, { strict: false });
    const commandId = randomUUID();
    await store.append({
      streamId,
      streamType,
      expected: "any",
      commandId,
      requestHash: Buffer.alloc(32),
      events: [{ eventId: randomUUID(), schemaVersion: 1, event: { type, data } }],
      meta: { actor: { id: "ada", name: "Ada" }, commandId, reason: "because" },
    });
    return commandId;
  }

  /** Gives the command's id. */
  async redeem(enforcerId: string, sessionId: string, grant: object): Promise<string> {
    this.#leased.add(sessionId);
    const stream = ["token", `token-t-${sessionId}`] as const;
    await this.decide("TokenMinted", { grant: { expiresAt: Date.now() + 600_000, ...grant } }, ...stream);
    return this.decide("TokenRedeemed", { sessionId, enforcerId }, ...stream);
  }

  async #lease(enforcerId: string, batch: readonly RecordInit[]): Promise<void> {
    for (const { sessionId = "", fact } of batch) {
      if (fact?.case !== "sessionStarted" || this.#leased.has(sessionId)) continue;
      const { resource } = fact.value;
      await this.redeem(enforcerId, sessionId, { resource, principal: { ...principal, onBehalfOf: [] } });
    }
  }

  inLog(commandId: string): Promise<void> {
    return until(async () =>
      (await this.entries()).some((entry) => JSON.parse(entry.json).data.command_id === commandId),
    );
  }
}

function encoded(source: string, records: RecordInit[], oldest = 0) {
  const batch = create(edgeV1.RecordBatchSchema, { source, records, oldest: BigInt(oldest) });
  const name = `${source}/${batch.records[0]?.sequence}-${batch.records.at(-1)?.sequence}`;
  return { name, bytes: toBinary(edgeV1.RecordBatchSchema, batch) };
}
