import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { BusFailure } from "#bus";
import { approvalV1, auditV1 } from "#contracts";
import {
  command,
  context,
  done,
  ended,
  principal,
  type RecordInit,
  RunningAudit,
  runs,
  started,
  until,
} from "./audit.fixture.js";
import { rebuildSessions } from "./projections/sessions.js";

const { listSessions, getSession } = auditV1.Audit.method;

let audit: RunningAudit;
beforeAll(async () => {
  audit = await RunningAudit.start();
});
afterAll(() => audit?.drop());

describe("sessions", () => {
  it("are read with their commands", async () => {
    const edge = audit.enforcer();
    await edge.ship(
      started("s-1", { clientApplication: "psql" }),
      runs("s-1", 1),
      done("s-1", 1),
      {
        sessionId: "s-1",
        fact: { case: "commandRefused", value: { command: command(2, "drop table t"), code: "42501", reason: "no" } },
      },
      {
        sessionId: "s-1",
        fact: {
          case: "commandHeld",
          value: { command: command(3, "alter table t"), approvalId: "ap-1", reason: "dba" },
        },
      },
      runs("s-1", 3, { approvalId: "ap-1" }),
      done("s-1", 3, { errorCode: "42P01", errorMessage: "no such table" }),
      runs("s-1", 4),
      runs("s-1", 5),
      done("s-1", 5, { errorMessage: "the session ended first (revoked)" }),
      ended("s-1"),
    );
    await edge.acknowledged();
    const { session, commands } = await audit.bus.call(getSession, { id: "s-1" }, context());
    expect(session).toMatchObject({
      id: "s-1",
      status: "ended",
      resource: "shop",
      protocol: "postgres",
      enforcerId: edge.id,
      clientApplication: "psql",
      endedBecause: "client",
      commands: 5n,
      refused: 1n,
      valuesMasked: 6n,
    });
    expect(session?.principal).toMatchObject(principal);
    expect(commands.map(({ ordinal, verdict, status, approvalId }) => [ordinal, verdict, status, approvalId])).toEqual([
      [1n, "allow", "done", ""],
      [2n, "deny", "refused", ""],
      [3n, "hold", "failed", "ap-1"],
      [4n, "allow", "unknown", ""],
      [5n, "allow", "unknown", ""],
    ]);
    expect(commands[0]).toMatchObject({
      parameters: ["a", "\\x01ff", "NULL"],
      policies: ["readers"],
      policyEpoch: 3n,
      rows: 3n,
      bytes: 99n,
      durationUs: 1500n,
      tablesRead: ["public.customers"],
    });
    expect(commands[2]).toMatchObject({ errorCode: "42P01", reason: "no such table", statement: "alter table t" });
  });

  it("have a command that was let through and never left as refused, not as one that may have run", async () => {
    const edge = audit.enforcer();
    const { WITHDRAWN } = approvalV1.ApprovalStatus;
    await edge.ship(
      started("s-2"),
      runs("s-2", 1, { approvalId: "ap-2" }),
      {
        sessionId: "s-2",
        fact: {
          case: "holdEnded",
          value: { ordinal: 1n, approvalId: "ap-2", status: WITHDRAWN, reason: "it is over" },
        },
      },
      ended("s-2"),
    );
    await edge.acknowledged();
    const { commands } = await audit.bus.call(getSession, { id: "s-2" }, context());
    expect(commands).toMatchObject([{ verdict: "hold", status: "refused", reason: "it is over" }]);
  });

  it("have a command that was held to the end as refused", async () => {
    const edge = audit.enforcer();
    const { WITHDRAWN } = approvalV1.ApprovalStatus;
    const value = { ordinal: 1n, approvalId: "ap-3", status: WITHDRAWN, reason: "The session has ended." };
    await edge.ship(
      started("s-3"),
      { sessionId: "s-3", fact: { case: "commandHeld", value: { command: command(1), approvalId: "ap-3" } } },
      { sessionId: "s-3", fact: { case: "holdEnded", value } },
      ended("s-3"),
    );
    await edge.acknowledged();
    const { commands } = await audit.bus.call(getSession, { id: "s-3" }, context());
    expect(commands).toMatchObject([{ verdict: "hold", status: "refused", reason: "The session has ended." }]);
  });

  it("are told by each of their commands' entries: who, of which run, on whose behalf, on what", async () => {
    const edge = audit.enforcer();
    const refused: RecordInit = {
      sessionId: "w-1",
      fact: { case: "commandRefused", value: { command: command(2), code: "denied", reason: "no" } },
    };
    await edge.ship(started("w-1"), runs("w-1", 1), done("w-1", 1), refused, ended("w-1"));
    await edge.acknowledged();
    const { id, name, run } = principal;
    const who = { principal: { id, name, run, on_behalf_of: [] }, resource: "shop" };
    const entries = (await audit.ofSource(edge.name)).filter(({ data }) => data.command);
    expect(entries.map(({ type }) => type)).toEqual(["command.started", "command.refused"]);
    for (const { data } of entries) expect(data).toMatchObject(who);
  });

  const spoolOpened = (replaces = ""): RecordInit => ({ fact: { case: "spoolOpened", value: { replaces } } });
  const get = async (id: string) => (await audit.bus.call(getSession, { id }, context()))!;
  const statusOf = async (id: string) => (await get(id)).session?.status;

  it("are lost, with what was running, when another process takes their spool; others of the enforcer are not", async () => {
    const [edge, sibling] = [audit.enforcer("edge-of-two"), audit.enforcer("edge-of-two")];
    await edge.ship(spoolOpened(), started("l-1"), runs("l-1", 1), started("l-2"), ended("l-2"));
    await sibling.ship(spoolOpened(), started("l-3"));
    await edge.acknowledged();
    await sibling.acknowledged();
    expect([await statusOf("l-1"), await statusOf("l-2"), await statusOf("l-3")]).toEqual(["open", "ended", "open"]);
    await edge.ship(started("l-4"), spoolOpened(), started("l-5"));
    await edge.acknowledged();
    expect((await get("l-1")).commands[0]?.status).toBe("unknown");
    expect([await statusOf("l-1"), await statusOf("l-2"), await statusOf("l-3")]).toEqual(["lost", "ended", "open"]);
    expect([await statusOf("l-4"), await statusOf("l-5")]).toEqual(["lost", "open"]);
    expect((await concluded("l-")).map(({ type, session_id }) => [type, session_id])).toEqual([
      ["session.lost", "l-1"],
      ["session.lost", "l-4"],
    ]);
  });

  const concluded = async (sessions: string) =>
    (await audit.ofSource("audit")).filter(({ session_id }) => session_id.startsWith(sessions));

  it("are named in the log where they are lost: at once behind the opening, once, and not where their end came first", async () => {
    const [edge, reborn] = [audit.enforcer("edge-killed"), audit.enforcer("edge-killed")];
    await audit.decide("EnforcerRegistered", { name: "shop-edge" }, "enforcer", "enforcer/edge-killed");
    await edge.ship(spoolOpened(), started("lost-1"), runs("lost-1", 1), started("lost-2"), started("lost-3"));
    await edge.acknowledged();
    // Given up when the enforcer comes back; the end of one was still in the spool.
    await audit.inLog(await audit.decide("EnforcerEnrolled", {}, "enforcer", "enforcer/edge-killed"));
    expect(await concluded("lost-")).toEqual([]);
    await edge.ship(ended("lost-2"));
    await edge.acknowledged();
    const opened = reborn.records(spoolOpened(edge.source), started("lost-4"));
    await reborn.publish(opened);
    await reborn.acknowledged();
    const told = await concluded("lost-");
    expect(told.map(({ type, session_id }) => [type, session_id])).toEqual([
      ["session.lost", "lost-1"],
      ["session.lost", "lost-3"],
    ]);
    const [opening] = await audit.ofSource(reborn.name);
    expect(told.map(({ index }) => index - opening.index)).toEqual([1, 2]);
    expect(opening.data).toMatchObject({ enforcer_name: "shop-edge" });
    expect(told[0]).toMatchObject({ origin: "audit", sequence: expect.any(Number) });
    expect(told[0].data).toEqual({
      ...{ enforcer_id: "edge-killed", enforcer_name: "shop-edge", token_id: "t-lost-1", resource: "shop" },
      principal: { id: principal.id, name: principal.name, run: principal.run, on_behalf_of: [] },
      ...{ started: true, released: false, why: expect.stringContaining("no record of its end") },
    });
    expect((await get("lost-1")).session?.endedBecause).toMatch(/no record of its end/);
    // Said again, by the same opening and by one that was killed before it could say so.
    await reborn.publish(opened);
    const third = audit.enforcer("edge-killed");
    await third.ship(spoolOpened(edge.source), spoolOpened(reborn.source));
    await third.acknowledged();
    expect((await concluded("lost-")).slice(2).map(({ session_id }) => session_id)).toEqual(["lost-4"]);
    expect((await audit.ofSource("audit")).map(({ sequence }, n) => sequence === n + 1)).not.toContain(false);
  });

  it("are lost with their enforcer, where that is removed; what was held in them has not left", async () => {
    const edge = audit.enforcer("edge-removed");
    const held: RecordInit = {
      sessionId: "r-1",
      fact: { case: "commandHeld", value: { command: command(2), approvalId: "ap-r" } },
    };
    await edge.ship(started("r-1"), runs("r-1", 1), held, started("r-2"), ended("r-2"));
    await edge.acknowledged();
    const removed = await audit.decide("EnforcerRemoved", { name: "shop-edge" }, "enforcer", "enforcer/edge-removed");
    await audit.inLog(removed);
    const told = await concluded("r-");
    expect(told.map(({ type, session_id }) => [type, session_id])).toEqual([["session.lost", "r-1"]]);
    expect(told[0].data.why).toMatch(/has been removed/);
    const { session, commands } = await get("r-1");
    expect([session?.status, ...commands.map(({ status }) => status)]).toEqual(["lost", "unknown", "refused"]);
  });

  it("are named in the log where their token ran out and nobody told their end", async () => {
    const edge = audit.enforcer();
    const hour = 3_600_000;
    const grant = { resource: "shop", principal: { ...principal, onBehalfOf: [] } };
    const over = { ...grant, expiresAt: Date.now() - 2 * hour };
    for (const id of ["u-late", "u-gone", "u-ended", "u-never", "u-turned"]) await audit.redeem(edge.id, id, over);
    await audit.decide("SessionReleased", { sessionId: "u-turned" }, "token", "token-t-u-turned");
    await audit.inLog(await audit.redeem(edge.id, "u-young", { ...grant, expiresAt: Date.now() - hour / 2 }));
    await edge.ship(started("u-late"), started("u-gone"), started("u-ended"), started("u-young"), ended("u-ended"));
    await edge.acknowledged();
    for (let times = 0; times < 2; times++) await audit.sweep(Date.now());
    const unheard = (await concluded("u-")).map(({ type, session_id, data }) => [type, session_id, data.started]);
    expect(unheard.sort()).toEqual([
      ["session.unheard", "u-gone", true],
      ["session.unheard", "u-late", true],
      ["session.unheard", "u-never", false],
    ]);
    expect([await statusOf("u-late"), await statusOf("u-young")]).toEqual(["lost", "open"]);
    // It was only cut off, and killed then: what it tells counts, and what it does not is lost.
    await edge.ship(ended("u-late"));
    await edge.acknowledged();
    const reborn = audit.enforcer(edge.id);
    await reborn.ship(spoolOpened(edge.source));
    await reborn.acknowledged();
    const lost = (await concluded("u-")).filter(({ type }) => type === "session.lost");
    expect(lost.map(({ session_id }) => session_id)).toEqual(["u-gone", "u-young"]);
    expect([await statusOf("u-late"), await statusOf("u-gone")]).toEqual(["ended", "lost"]);
  });

  it("are told in a vote's entry, and the enforcer by its name where it redeems or gives back", async () => {
    const edge = audit.enforcer();
    await audit.decide("EnforcerRegistered", { name: "bank-edge" }, "enforcer", `enforcer/${edge.id}`);
    const redeemed = await audit.redeem(edge.id, "voted-1", {});
    const stream = ["approval", "approval-voted"] as const;
    await audit.decide("ApprovalRequested", { sessionId: "voted-1", statement: "x \0" }, ...stream);
    const cast = await audit.decide("VoteCast", { by: { id: "k" }, approve: true }, ...stream);
    await audit.inLog(cast);
    const entries = (await audit.entries()).map(({ json }) => JSON.parse(json));
    const of = (id: string) => entries.find(({ data }) => data.command_id === id);
    expect(of(cast)).toMatchObject({ type: "vote.cast", session_id: "voted-1" });
    expect(of(redeemed)).toMatchObject({ type: "token.redeemed", data: { enforcer_name: "bank-edge" } });
  });

  it("are lost when their damaged spool is carried on by another", async () => {
    const edge = audit.enforcer();
    await edge.ship(spoolOpened(), started("damaged-1"));
    await edge.acknowledged();
    const reborn = audit.enforcer(edge.id);
    await reborn.ship(spoolOpened(edge.source));
    await reborn.acknowledged();
    expect(await statusOf("damaged-1")).toBe("lost");
  });

  it("are found again when they speak", async () => {
    const edge = audit.enforcer();
    await edge.ship(started("k-1"), started("k-2"));
    await edge.acknowledged();
    await audit.inLog(
      await audit.decide("EnforcerEnrolled", { softwareVersion: "1" }, "enforcer", `enforcer/${edge.id}`),
    );
    expect([await statusOf("k-1"), await statusOf("k-2")]).toEqual(["lost", "lost"]);
    await edge.ship(ended("k-1"), { ...runs("k-2", 1), time: timestampFromDate(new Date(Date.now() + 60_000)) });
    await edge.acknowledged();
    expect([await statusOf("k-1"), await statusOf("k-2")]).toEqual(["ended", "open"]);
  });

  it("are lost when their enforcer enrolls again", async () => {
    const edge = audit.enforcer();
    await edge.ship(started("n-1"), runs("n-1", 1));
    await edge.acknowledged();
    const id = await audit.decide("EnforcerEnrolled", { softwareVersion: "1" }, "enforcer", `enforcer/${edge.id}`);
    await audit.inLog(id);
    const { session, commands } = await audit.bus.call(getSession, { id: "n-1" }, context());
    expect([session?.status, commands[0]?.status]).toEqual(["lost", "unknown"]);
  });

  it("that nobody leased are claims: kept in the log, marked, and in no view", async () => {
    const forger = audit.enforcer();
    const boss = { ...principal, id: "demo|boss", subject: "boss", name: "boss" };
    await forger.forge(started("f-1", { principal: boss }), runs("f-1", 1), ended("f-1"));
    await forger.acknowledged();
    const entries = await audit.ofSource(forger.name);
    expect(entries.map(({ type, session_id }) => [type, session_id])).toEqual(Array(3).fill(["record.disowned", ""]));
    expect(entries[0].data).toMatchObject({
      enforcer_id: forger.id,
      why: "no token was redeemed for this session",
      claimed: { type: "session.started", session_id: "f-1", data: { principal: { id: "demo|boss" } } },
    });
    await expect(audit.bus.call(getSession, { id: "f-1" }, context())).rejects.toMatchObject({ code: "not_found" });
    // Whose it is later, it was not when that was said.
    await audit.redeem(forger.id, "f-1", { resource: "shop", principal: { ...principal, onBehalfOf: [] } });
    await forger.forge(started("f-1"));
    await forger.acknowledged();
    const { session } = await audit.bus.call(getSession, { id: "f-1" }, context());
    expect(session).toMatchObject({ enforcerId: forger.id, principal: { id: "ci|repo:shop" } });
  });

  it.each([
    ["principal", { principal: { ...principal, name: "boss" } }, "the session's token is another principal's"],
    ["resource", { resource: "bank" }, "the session's token is for another resource"],
    ["token", { tokenId: "t-other" }, "another token was redeemed for this session"],
  ])("are not believed where they name another %s than their token", async (what, over, why) => {
    const forger = audit.enforcer();
    await audit.redeem(forger.id, `g-${what}`, { resource: "shop", principal: { ...principal, onBehalfOf: [] } });
    await forger.forge(started(`g-${what}`, over));
    await forger.acknowledged();
    const [entry] = await audit.ofSource(forger.name);
    expect(entry).toMatchObject({ type: "record.disowned", data: { why } });
  });

  it("are known before the log has followed their redemption, and by a service that has just started", async () => {
    const edge = audit.enforcer();
    const { dataSource } = audit;
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    try {
      await runner.query("SELECT 1 FROM es.checkpoint WHERE consumer = 'audit' FOR UPDATE");
      await edge.ship(started("o-1"));
      await edge.acknowledged();
      expect(await dataSource.query("SELECT 1 FROM audit.lease WHERE session_id = 'o-1'")).toEqual([]);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
    expect((await audit.ofSource(edge.name)).map(({ type }) => type)).toEqual(["session.started"]);
    await until(
      async () => (await dataSource.query("SELECT 1 FROM audit.lease WHERE session_id = 'o-1'")).length === 1,
    );
    await audit.stop();
    await audit.start();
    await edge.ship(ended("o-1"));
    await edge.acknowledged();
    expect((await audit.bus.call(getSession, { id: "o-1" }, context())).session?.status).toBe("ended");
  });

  it("of another enforcer can't be touched", async () => {
    const [victim, attacker] = [audit.enforcer(), audit.enforcer()];
    await victim.ship(started("v-1"));
    await victim.acknowledged();
    await attacker.ship(started("v-1", { resource: "other" }), runs("v-1", 1), ended("v-1"));
    await attacker.acknowledged();
    const { session, commands } = await audit.bus.call(getSession, { id: "v-1" }, context());
    expect(session).toMatchObject({ status: "open", resource: "shop", enforcerId: victim.id });
    expect(commands).toEqual([]);
    expect((await audit.ofSource(attacker.name)).map(({ type, data }) => [type, data.why])).toEqual(
      Array(3).fill(["record.disowned", "another enforcer has this session"]),
    );
  });

  it("are listed newest first, filtered, in pages", async () => {
    const edge = audit.enforcer();
    await edge.ship(...Array.from({ length: 7 }, (_, n) => started(`p-${n}`, { resource: `paged` })), ended("p-3"));
    await edge.acknowledged();
    const ids: string[] = [];
    for (let cursor = ""; ; ) {
      const { sessions, next } = await audit.bus.call(
        listSessions,
        { resource: "paged", page: { limit: 3, cursor } },
        context(),
      );
      ids.push(...sessions.map(({ id }) => id));
      if (next === "") break;
      cursor = next;
    }
    expect(ids).toEqual(["p-6", "p-5", "p-4", "p-3", "p-2", "p-1", "p-0"]);
    const open = await audit.bus.call(listSessions, { resource: "paged", status: "ended" }, context());
    expect(open.sessions.map(({ id }) => id)).toEqual(["p-3"]);
    expect((await audit.bus.call(listSessions, { principalId: "nobody" }, context())).sessions).toEqual([]);
  });

  it("refuse a cursor, a status, and an id that are none", async () => {
    const refusal = (code: string) => expect.objectContaining({ code }) as BusFailure;
    await expect(audit.bus.call(listSessions, { page: { cursor: "x" } }, context())).rejects.toEqual(
      refusal("invalid"),
    );
    await expect(audit.bus.call(listSessions, { status: "x" }, context())).rejects.toEqual(refusal("invalid"));
    await expect(audit.bus.call(getSession, { id: "none" }, context())).rejects.toBeInstanceOf(BusFailure);
  });

  it("can be built anew from the log", async () => {
    const { dataSource } = audit;
    const read = async () => [
      await dataSource.query("SELECT * FROM audit.session ORDER BY id"),
      await dataSource.query("SELECT * FROM audit.command ORDER BY session_id, ordinal"),
    ];
    const before = await read();
    await dataSource.query("UPDATE audit.session SET status = 'open', commands = 0");
    await dataSource.query("DELETE FROM audit.command");
    await rebuildSessions(dataSource);
    expect(await read()).toEqual(before);
  });
});
