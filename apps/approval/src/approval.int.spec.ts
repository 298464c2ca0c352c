import { createHash, randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Controller, Module } from "@nestjs/common";
import pg from "pg";
import type { Bus } from "#bus";
import { type BusCall, Rpc, type RunningService, startService } from "#bus/nest";
import { approvalV1, type CallContext, edgeV1, pushSubject, tokensV1 } from "#contracts";
import { Refused } from "#event-store";
import { openDatabase, PostgresEventStore } from "#event-store-postgres";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { ApprovalModule } from "./approval.module.js";
import { rebuildApprovals } from "./projections/rebuild.js";
import { Waiting } from "./projections/waiting.js";

const { getApproval, listApprovals, decide } = approvalV1.Approvals.method;
const { hold, withdraw, consume } = edgeV1.EdgeApprovals.method;
const { ApprovalStatus } = approvalV1;
const ENFORCER = "e1";
const DIGEST = createHash("sha256").update("the command").digest();

const REQUESTER = { id: "ci|7", issuer: "ci", subject: "7", name: "build", run: "r7", onBehalfOf: ["grace"] };

/** What the tokens service knows: all sessions are the enforcer's, `over` was, `at-…` are on another resource. */
@Controller()
class TokensApi {
  @Rpc(tokensV1.Tokens.method.getSession)
  async session({ sessionId }: tokensV1.GetSessionRequest, _: BusCall) {
    if (sessionId === "unknown") throw new Refused("not_found", "there is no such session");
    const resource = sessionId.startsWith("at-") ? sessionId.slice("at-".length) : "shop";
    return { sessionId, enforcerId: ENFORCER, principal: REQUESTER, resource, open: sessionId !== "over" };
  }
}
@Module({ controllers: [TokensApi] })
class Tokens {}

describe("the approval service", () => {
  let database: FreshDatabase;
  let nats: FreshNats;
  let bus: Bus;
  let services: RunningService[] = [];
  let tokens: RunningService | undefined;
  let sql: pg.Client;
  let now = Date.UTC(2030, 0, 1);
  const heard: edgeV1.ApprovalDecided[] = [];

  const start = async () => {
    const module = ApprovalModule.register({ databaseUrl: database.url }, () => now);
    services.push(await startService({ bus: await nats.connect("approval"), modules: [module], logger: false }));
  };
  const stop = async () => {
    await Promise.all(services.map((service) => service.close()));
    services = [];
  };
  beforeAll(async () => {
    [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
    // Two replicas: every race below is one between processes too.
    await Promise.all([start(), start()]);
    bus = await nats.connect("test");
    tokens = await startService({ bus, modules: [Tokens], logger: false });
    bus.subscribePush([pushSubject.node(ENFORCER)], ({ message }) => {
      if (message.case === "approvalDecided") heard.push(message.value);
    });
    await bus.nats.flush();
    sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
  });
  afterAll(async () => {
    await sql?.end();
    await stop();
    await tokens?.close();
    await nats?.drop();
    await database?.drop();
  });

  const as = (name: string, ...roles: string[]): CallContext => ({
    actor: { id: `key-${name}`, name, roles: roles.length > 0 ? roles : ["approver"] },
    commandId: randomUUID(),
  });
  const holdOne = async (
    over: Partial<
      Pick<
        edgeV1.HoldRequest,
        "approvalId" | "digest" | "quorum" | "replaces" | "sessionId" | "statement" | "ttlSeconds"
      >
    > = {},
    enforcer = ENFORCER,
  ) => {
    const approvalId = randomUUID();
    const request = create(edgeV1.HoldRequestSchema, {
      ...{
        approvalId,
        sessionId: "s1",
        resource: "shop",
        statement: "ALTER TABLE c ADD n text",
        parameters: ["1", "NULL"],
      },
      ...{
        digest: DIGEST,
        policyEpoch: 3n,
        policies: ["ddl"],
        quorum: 1,
        ttlSeconds: 60,
        reason: "changes the schema",
      },
      principal: REQUESTER,
      ...over,
    });
    const response = await bus.callEdge(hold, enforcer, request);
    return { id: request.approvalId, request, response };
  };
  const vote = (id: string, who: CallContext, approve = true) =>
    bus.call(decide, { id, approve, reason: `${who.actor.name} says so` }, who);
  const take = (approvalId: string, over: Partial<edgeV1.ConsumeRequest> = {}, enforcer = ENFORCER) =>
    bus.callEdge(consume, enforcer, { approvalId, sessionId: "s1", digest: DIGEST, ...over });
  const get = (id: string) => bus.call(getApproval, { id }, as("anyone"));
  const statusOf = async (id: string) => ApprovalStatus[(await get(id)).status];
  const told = async (id: string) => {
    for (let wait = 0; wait < 500; wait++) {
      const found = heard.find(({ approvalId }) => approvalId === id);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error("the enforcer was not told");
  };

  it("shows the exact command that waits", async () => {
    const { id, response } = await holdOne();
    expect(timestampMs(response.expiresAt!)).toBe(now + 60_000);
    expect(response.decided).toBeUndefined();
    expect(await get(id)).toMatchObject({
      ...{ id, status: ApprovalStatus.PENDING, statement: "ALTER TABLE c ADD n text", parameters: ["1", "NULL"] },
      ...{
        resource: "shop",
        sessionId: "s1",
        enforcerId: ENFORCER,
        policyEpoch: 3n,
        quorum: 1,
        votes: [],
        version: 1n,
      },
      requester: { id: "ci|7", run: "r7", onBehalfOf: ["grace"] },
    });
    expect(Buffer.from((await get(id)).digest)).toEqual(DIGEST);
  });

  it("goes on once it is approved, and only once", async () => {
    const { id } = await holdOne();
    expect(await take(id)).toMatchObject({ granted: false, reason: "it is not decided yet" });
    expect(await vote(id, as("ada"))).toMatchObject({ status: ApprovalStatus.APPROVED, version: 3n });
    expect(await told(id)).toMatchObject({ status: ApprovalStatus.APPROVED, by: [{ id: "key-ada", name: "ada" }] });
    expect(await take(id)).toMatchObject({ granted: true, approvedBy: [{ name: "ada", roles: ["approver"] }] });
    expect(await take(id)).toMatchObject({ granted: false, reason: "it has been used already" });
    expect(await statusOf(id)).toBe("CONSUMED");
  });

  it("lets one of many through that consume at once", async () => {
    for (let round = 0; round < 3; round++) {
      const { id } = await holdOne();
      await vote(id, as("ada"));
      const answers = await Promise.all(Array.from({ length: 16 }, () => take(id)));
      expect(answers.filter(({ granted }) => granted)).toHaveLength(1);
    }
  });

  it("is good for its command, session and enforcer only", async () => {
    const { id } = await holdOne();
    await vote(id, as("ada"));
    expect((await take(id, { digest: createHash("sha256").update("DROP").digest() })).granted).toBe(false);
    expect((await take(id, { sessionId: "s2" })).granted).toBe(false);
    const { $typeName: _, ...told } = await take(id, {}, "e2");
    expect(told).toEqual({
      ...{ granted: false, reason: "there is no such approval", approvedBy: [] },
      status: ApprovalStatus.APPROVAL_STATUS_UNSPECIFIED,
    });
    expect((await take(randomUUID())).granted).toBe(false);
    expect((await take(id)).granted).toBe(true);
  });

  it("loses no vote of those that come at once", async () => {
    const people = Array.from({ length: 10 }, (_, n) => as(`person-${n}`));
    for (let round = 0; round < 2; round++) {
      const { id } = await holdOne({ quorum: 10 });
      await Promise.all(people.map((who) => vote(id, { ...who, commandId: randomUUID() })));
      const { votes, status } = await get(id);
      expect(votes.map(({ by }) => by?.name).sort()).toEqual(people.map(({ actor }) => actor.name).sort());
      expect(status).toBe(ApprovalStatus.APPROVED);
    }
  });

  it("counts one person once, however often and with whichever key", async () => {
    const { id } = await holdOne({ quorum: 2 });
    const again = { ...as("Ada"), actor: { id: "key-other", name: "Ada", roles: ["admin"] } };
    await Promise.all([vote(id, as("ada")), vote(id, as("ada")), vote(id, again)]);
    expect(await statusOf(id)).toBe("PENDING");
    expect((await get(id)).votes).toHaveLength(1);
  });

  it("is rejected by one, whoever approved before", async () => {
    const { id } = await holdOne({ quorum: 3 });
    await vote(id, as("ada"));
    await vote(id, as("bob"), false);
    expect(await told(id)).toMatchObject({
      status: ApprovalStatus.REJECTED,
      reason: "bob says so",
      by: [{ name: "bob" }],
    });
    await expect(vote(id, as("eve"))).rejects.toMatchObject({ code: "gone" });
    expect((await take(id)).granted).toBe(false);
  });

  it("is not decided by who asked, nor without the role", async () => {
    const { id } = await holdOne();
    await expect(vote(id, as("Grace", "admin"))).rejects.toMatchObject({ code: "forbidden" });
    await expect(vote(id, as("ada", "auditor"))).rejects.toMatchObject({ code: "forbidden" });
    expect(await statusOf(id)).toBe("PENDING");
  });

  it("heeds the version that the approver has seen", async () => {
    const { id } = await holdOne({ quorum: 2 });
    await vote(id, as("ada"));
    const stale = { id, approve: true, reason: "", precondition: { version: 1n } };
    await expect(bus.call(decide, stale, as("bob"))).rejects.toMatchObject({ code: "version_conflict" });
    await bus.call(decide, { ...stale, precondition: { version: 2n } }, as("bob"));
    expect(await statusOf(id)).toBe("APPROVED");
  });

  it("takes the same hold again for the same, and tells how it stands", async () => {
    const { id, request, response } = await holdOne();
    now += 1000;
    expect((await bus.callEdge(hold, ENFORCER, request)).expiresAt).toEqual(response.expiresAt);
    await vote(id, as("ada"), false);
    const { decided } = await bus.callEdge(hold, ENFORCER, request);
    expect(decided).toMatchObject({ approvalId: id, status: ApprovalStatus.REJECTED, by: [{ name: "ada" }] });
    await expect(bus.callEdge(hold, "e2", request)).rejects.toMatchObject({ code: "forbidden" });
    const other = { ...request, sessionId: "s2" };
    await expect(bus.callEdge(hold, ENFORCER, other)).rejects.toMatchObject({ code: "conflict" });
    await expect(holdOne({ approvalId: "not-a-uuid" })).rejects.toMatchObject({ code: "invalid" });
    await expect(holdOne({ digest: Buffer.from("short") })).rejects.toMatchObject({ code: "invalid" });
  });

  it("can be withdrawn by its enforcer", async () => {
    const { id } = await holdOne();
    await expect(bus.callEdge(withdraw, "e2", { approvalId: id, reason: "x" })).rejects.toMatchObject({
      code: "forbidden",
    });
    await bus.callEdge(withdraw, ENFORCER, { approvalId: id, reason: "Ctrl-C" });
    await bus.callEdge(withdraw, ENFORCER, { approvalId: id, reason: "Ctrl-C" });
    await bus.callEdge(withdraw, ENFORCER, { approvalId: randomUUID(), reason: "Ctrl-C" });
    expect(await statusOf(id)).toBe("WITHDRAWN");
    expect((await get(id)).endedBecause).toBe("Ctrl-C");
    await expect(vote(id, as("ada"))).rejects.toMatchObject({ code: "gone" });
  });

  it("never stands as used where its command did not run, whichever of cancel and consumption comes first", async () => {
    for (let round = 0; round < 4; round++) {
      const { id } = await holdOne();
      await vote(id, as("ada"));
      await Promise.all([take(id), bus.callEdge(withdraw, ENFORCER, { approvalId: id, reason: "Ctrl-C" })]);
      expect(await statusOf(id)).toBe("WITHDRAWN");
      expect((await take(id)).granted).toBe(false);
      await expect(vote(id, as("bob"))).rejects.toMatchObject({ code: "gone", message: "it was withdrawn: Ctrl-C" });
    }
    const { id } = await holdOne();
    await vote(id, as("ada"));
    expect((await take(id)).granted).toBe(true);
    await bus.callEdge(withdraw, ENFORCER, { approvalId: id, reason: "Ctrl-C" });
    expect(await statusOf(id)).toBe("WITHDRAWN");
  });

  it("expires by itself, tells its enforcer, and takes no vote and no use any more", async () => {
    const [pending, approved] = [await holdOne({ ttlSeconds: 30 }), await holdOne({ ttlSeconds: 30 })];
    await vote(approved.id, as("ada"));
    heard.length = 0;
    now += 30_000;
    expect((await take(approved.id)).granted).toBe(false);
    await expect(vote(pending.id, as("ada"))).rejects.toMatchObject({ code: "gone" });
    expect(await statusOf(pending.id)).toBe("EXPIRED");
    for (const { id } of [pending, approved]) {
      expect(await told(id)).toMatchObject({ status: ApprovalStatus.EXPIRED, by: [] });
      const types = await sql.query("SELECT type FROM es.event WHERE stream_id = $1 ORDER BY stream_pos", [
        `approval-${id}`,
      ]);
      expect(types.rows.filter(({ type }) => type === "ApprovalExpired")).toHaveLength(1);
    }
    expect((await bus.callEdge(hold, ENFORCER, pending.request)).decided?.status).toBe(ApprovalStatus.EXPIRED);
  });

  const listened = () => {
    for (const { app } of services) app.get(Waiting, { strict: false }).listened();
  };

  it("is withdrawn when its enforcer no longer asks for it, and cannot be approved then", async () => {
    listened();
    const [left, kept, approved] = [await holdOne(), await holdOne(), await holdOne()];
    await vote(approved.id, as("ada"));
    for (let seconds = 0; seconds < 16; seconds += 4) {
      now += 4_000;
      listened();
      expect(await take(kept.id)).toMatchObject({ granted: false, reason: "it is not decided yet" });
    }
    await expect(vote(left.id, as("ada"))).rejects.toMatchObject({
      code: "gone",
      message: expect.stringContaining("it was withdrawn: its enforcer no longer asks for it"),
    });
    expect(await statusOf(left.id)).toBe("WITHDRAWN");
    await expect(vote(approved.id, as("ada"))).rejects.toMatchObject({ code: "gone" });
    expect((await take(approved.id)).granted).toBe(false);
    expect(await vote(kept.id, as("ada"))).toMatchObject({ status: ApprovalStatus.APPROVED });
    expect((await take(kept.id)).granted).toBe(true);
  });

  it("is not withdrawn for a silence in which nobody listened", async () => {
    const { id } = await holdOne();
    now += 20_000;
    listened();
    expect(await vote(id, as("ada"))).toMatchObject({ status: ApprovalStatus.APPROVED });
  });

  it("expires what became due while no service ran", async () => {
    const { id } = await holdOne({ ttlSeconds: 30 });
    await stop();
    now += 30_000;
    await Promise.all([start(), start()]);
    expect(await told(id)).toMatchObject({ status: ApprovalStatus.EXPIRED });
  });

  it("lists in pages, newest first, each once", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push((await holdOne({ sessionId: "at-pages" })).id);
      now += n % 2;
    }
    const listed: string[] = [];
    let cursor = "";
    do {
      const answer = await bus.call(listApprovals, { page: { limit: 2, cursor }, resource: "pages" }, as("anyone"));
      listed.push(...answer.approvals.map(({ id }) => id));
      cursor = answer.next;
    } while (cursor !== "");
    expect(listed).toHaveLength(5);
    expect([...listed].sort()).toEqual([...ids].sort());
    await vote(ids[1]!, as("ada"), false);
    const rejected = { resource: "pages", status: ApprovalStatus.REJECTED };
    expect((await bus.call(listApprovals, rejected, as("anyone"))).approvals.map(({ id }) => id)).toEqual([ids[1]]);
    await expect(bus.call(listApprovals, { page: { cursor: "x" } }, as("anyone"))).rejects.toMatchObject({
      code: "invalid",
    });
    await expect(get(randomUUID())).rejects.toMatchObject({ code: "not_found" });
  });

  it("lists fewer a page where commands are long, and loses none", async () => {
    const statement = `ALTER TABLE c ADD n text /* ${"\u0001".repeat(1_000_000)} */`;
    const ids: string[] = [];
    while (ids.length < 7) ids.push((await holdOne({ sessionId: "at-long", statement })).id);
    const listed: string[] = [];
    let cursor = "";
    do {
      const answer = await bus.call(listApprovals, { page: { limit: 500, cursor }, resource: "long" }, as("anyone"));
      listed.push(...answer.approvals.map(({ id }) => id));
      cursor = answer.next;
    } while (cursor !== "");
    expect(listed.sort()).toEqual(ids.sort());
    await expect(holdOne({ statement: "x".repeat((1 << 20) + 1) })).rejects.toMatchObject({ code: "invalid" });
  });

  it("is asked for an enforcer's own open sessions only, in the name and on the resource of their token", async () => {
    for (const sessionId of ["over", "unknown"]) {
      await expect(holdOne({ sessionId })).rejects.toMatchObject({ code: "forbidden" });
    }
    await expect(holdOne({}, "e2")).rejects.toMatchObject({ code: "forbidden" });
    const forged = create(edgeV1.HoldRequestSchema, {
      ...{ approvalId: randomUUID(), sessionId: "s1", resource: "bank", statement: "x", digest: DIGEST, quorum: 1 },
      principal: { id: "ci|boss", issuer: "ci", subject: "boss" },
    });
    await bus.callEdge(hold, ENFORCER, forged);
    expect(await get(forged.approvalId)).toMatchObject({ resource: "shop", requester: { id: "ci|7" } });
  });

  it("says which approval took the place of one whose policy changed, and which one it took", async () => {
    const { id: first } = await holdOne();
    const { id: second } = await holdOne({ replaces: first });
    const { id: elsewhere } = await holdOne({ sessionId: "at-long", replaces: first });
    expect(await get(first)).toMatchObject({ replaces: "", replacedBy: second });
    expect(await get(second)).toMatchObject({ replaces: first, replacedBy: "" });
    expect(await get(elsewhere)).toMatchObject({ replaces: first });
    await expect(holdOne({ replaces: "the last one" })).rejects.toMatchObject({ code: "invalid" });
  });

  it("makes its read model anew from the log, and it is the same", async () => {
    const all = async () => (await sql.query("SELECT * FROM approval.approval ORDER BY id")).rows;
    for (let wait = 0; wait < 500; wait++) {
      if ((await sql.query("SELECT 1 FROM es.pending")).rowCount === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const before = await all();
    expect(before.length).toBeGreaterThan(10);
    const dataSource = await openDatabase({ databaseUrl: database.url });
    try {
      await sql.query("UPDATE approval.approval SET status = 'approved'");
      await rebuildApprovals(new PostgresEventStore(dataSource), dataSource);
    } finally {
      await dataSource.destroy();
    }
    expect(await all()).toEqual(before);
  });
});
