import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Controller, Module } from "@nestjs/common";
import pg from "pg";
import type { Bus } from "#bus";
import { type BusCall, Rpc, type RunningService, startService } from "#bus/nest";
import { type CallContext, edgeV1, identityV1, modelV1, policyV1, pushSubject, tokensV1 } from "#contracts";
import { Refused } from "#event-store";
import { openDatabase, PostgresEventStore } from "#event-store-postgres";
import { parseToken } from "#tokens";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { rebuildTokens } from "./projections/rebuild.js";
import { TokensModule } from "./tokens.module.js";

const { mint, recordRefusal, getToken, listTokens, revoke, endSession, getSession } = tokensV1.Tokens.method;
const { lookup, redeem, release, renew } = edgeV1.EdgeTokens.method;
const { UseMode, TokenStatus, RevokedToken_Outcome } = tokensV1;
const ENFORCER = "e1";

/** What identity and policy know: everything is of the group `edge`, but what is named `elsewhere`. */
@Controller()
class NeighboursApi {
  @Rpc(identityV1.Identity.method.getEnforcer)
  async enforcer({ id }: identityV1.GetEnforcerRequest, _: BusCall) {
    if (id === "unheard-of") throw new Refused("not_found", "there is no such enforcer");
    return { id, group: id === "elsewhere" ? "elsewhere" : "edge", removed: id === "removed" };
  }
  @Rpc(policyV1.Policy.method.getResource)
  async resource({ name }: policyV1.GetResourceRequest, _: BusCall) {
    if (name === "deleted") throw new Refused("not_found", "there is no such resource");
    return { name, group: "edge" };
  }
}
@Module({ controllers: [NeighboursApi] })
class Neighbours {}

describe("the tokens service", () => {
  let database: FreshDatabase;
  let nats: FreshNats;
  let bus: Bus;
  let keys: string;
  let services: RunningService[] = [];
  let neighbours: RunningService | undefined;
  let sql: pg.Client;
  let now = Date.UTC(2030, 0, 1);
  let heard: edgeV1.Revoked[] = [];

  const start = async () => {
    const module = TokensModule.register({ databaseUrl: database.url, keys }, () => now);
    services.push(await startService({ bus: await nats.connect("tokens"), modules: [module], logger: false }));
  };
  beforeAll(async () => {
    keys = mkdtempSync(join(tmpdir(), "counterfoil-test-keys-"));
    [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
    // Two replicas: every race below is one between processes too.
    await Promise.all([start(), start()]);
    bus = await nats.connect("test");
    neighbours = await startService({ bus, modules: [Neighbours], logger: false });
    bus.subscribePush([pushSubject.all], ({ message }) => {
      if (message.case === "revoked") heard.push(message.value);
    });
    await bus.nats.flush();
    sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
  });
  afterAll(async () => {
    await sql?.end();
    await Promise.all([neighbours, ...services].map((service) => service?.close()));
    services = [];
    await nats?.drop();
    await database?.drop();
    if (keys) rmSync(keys, { recursive: true, force: true });
  });
  beforeEach(() => {
    heard = [];
  });

  const context = (): CallContext => ({ actor: { id: "ada", name: "Ada", roles: ["admin"] }, commandId: randomUUID() });
  const principal = (over: Partial<modelV1.Principal> = {}) =>
    create(modelV1.PrincipalSchema, {
      ...{
        id: "ci|build",
        issuer: "ci",
        subject: "build",
        name: "build",
        groups: ["ci"],
        run: "7",
        onBehalfOf: ["ada"],
      },
      ...over,
    });
  const ask = (over: MessageInitShape<typeof tokensV1.MintRequestSchema> = {}) => ({
    ...{ principal: principal(), resource: "shop", protocol: "postgres", scope: ["sql:read"] },
    ...over,
  });
  const mintOne = async (over: MessageInitShape<typeof tokensV1.MintRequestSchema> = {}) => {
    const { token, text } = await bus.call(mint, ask(over), context());
    return { id: token!.id, token: token!, text };
  };
  const redeemOnce = async (tokenId: string, sessionId: string = randomUUID(), enforcer = ENFORCER) => {
    const request = { tokenId, sessionId, protocol: "postgres", clientAddress: "10.0.0.7", clientApplication: "psql" };
    const { outcome } = await bus.callEdge(redeem, enforcer, request);
    return outcome.case === "lease" ? { lease: outcome.value } : { refused: outcome.value };
  };
  const statusOf = async (id: string) => TokenStatus[(await bus.call(getToken, { id }, context())).status];
  /** `found`, or why not. */
  const lookedUp = async (tokenId: string, protocol = "postgres") => {
    const { found, verifier, refused } = await bus.callEdge(lookup, ENFORCER, { tokenId, protocol });
    expect(verifier === "").toBe(!found);
    return found ? "found" : refused;
  };
  const endedOf = async (sessionIds: string[], enforcer = ENFORCER) =>
    (await bus.callEdge(renew, enforcer, { sessionIds })).ended.map(({ sessionId, reason }) => [sessionId, reason]);
  const pushed = async () => {
    await bus.nats.flush();
    for (let wait = 0; heard.length === 0 && wait < 200; wait++) await new Promise((r) => setTimeout(r, 10));
    return heard;
  };

  it.each(["elsewhere", "removed", "unheard-of"])(
    "an enforcer %s learns nothing and spends nothing",
    async (enforcer) => {
      const { id } = await mintOne();
      expect(await bus.callEdge(lookup, enforcer, { tokenId: id, protocol: "postgres" })).toMatchObject({
        ...{ found: false, verifier: "", resource: "", refused: "unknown" },
      });
      expect(await redeemOnce(id, randomUUID(), enforcer)).toEqual({ refused: "unknown" });
      expect(await redeemOnce(id)).toHaveProperty("lease");
    },
  );

  it("knows whose a session is", async () => {
    const { id } = await mintOne();
    const sessionId = randomUUID();
    await redeemOnce(id, sessionId);
    const known = { sessionId, tokenId: id, enforcerId: ENFORCER, resource: "shop", principal: { id: "ci|build" } };
    expect(await bus.call(getSession, { sessionId }, context())).toMatchObject({ ...known, open: true });
    await bus.callEdge(release, ENFORCER, { sessionId });
    expect(await bus.call(getSession, { sessionId }, context())).toMatchObject({ ...known, open: false });
    await expect(bus.call(getSession, { sessionId: randomUUID() }, context())).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("a deleted resource's tokens open nothing", async () => {
    const { id } = await mintOne({ resource: "deleted" });
    expect(await lookedUp(id)).toBe("unknown");
    expect(await redeemOnce(id)).toEqual({ refused: "unknown" });
  });

  it("mints what its login can be verified with, and keeps no secret", async () => {
    const { id, token, text } = await mintOne();
    const { password } = parseToken(text);
    expect(token).toMatchObject({ status: TokenStatus.ACTIVE, mode: UseMode.ONCE, uses: 1, used: 0, version: 1n });
    expect(timestampMs(token.expiresAt!)).toBe(now + 600_000);
    const found = await bus.callEdge(lookup, ENFORCER, { tokenId: id, protocol: "postgres" });
    expect(found).toMatchObject({ found: true, resource: "shop" });
    expect(found.verifier).toMatch(/^SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+$/);
    for (const table of ["es.event", "es.command", "tokens.token", "tokens.lease", "tokens.verifier"]) {
      const { rows } = await sql.query(`SELECT t::text AS row FROM ${table} t`);
      expect(JSON.stringify(rows)).not.toContain(password.slice(0, 12));
      if (table === "es.event") expect(JSON.stringify(rows)).not.toContain("SCRAM");
    }
  });

  it("keeps its keys for its owner only", () => {
    for (const file of ["pepper", "grant.key.pem"]) expect(statSync(join(keys, file)).mode & 0o777).toBe(0o600);
  });

  it("knows no token that is not there, or is of another protocol", async () => {
    expect(await lookedUp("x".repeat(17))).toBe("unknown");
    expect(await lookedUp("'; DROP TABLE tokens.token --")).toBe("unknown");
    const { id } = await mintOne();
    expect(await lookedUp(id, "mysql")).toBe("unknown");
  });

  it("gives what proves the secret of a token that is spent or expired too: its redemption says which", async () => {
    const { id } = await mintOne();
    const short = await mintOne({ lifetimeSeconds: 5 });
    await redeemOnce(id);
    expect(await lookedUp(id)).toBe("found");
    expect(await redeemOnce(id)).toEqual({ refused: "spent" });
    now += 5000;
    expect(await lookedUp(short.id)).toBe("found");
    expect(await statusOf(short.id)).toBe("EXPIRED");
    expect(await redeemOnce(short.id)).toEqual({ refused: "expired" });
    expect(await statusOf(id)).toBe("SPENT");
  });

  it.each([
    [{ lifetimeSeconds: 3601 }, "lifetime_seconds"],
    [{ scope: ["read everything"] }, "scope"],
    [{ protocol: "gopher" }, "protocol"],
    [{ mode: UseMode.RUN, principal: principal({ run: "" }) }, "mode"],
    [{ mode: 9 as tokensV1.UseMode }, "mode"],
  ])("refuses to mint %j for its %s", async (over, field) => {
    await expect(mintOne(over)).rejects.toMatchObject({ code: "invalid", details: { field } });
  });

  it("shows a token's text once, also to the same request again", async () => {
    const one = context();
    await bus.call(mint, ask(), one);
    await expect(bus.call(mint, ask(), one)).rejects.toMatchObject({ code: "conflict" });
  });

  it("mints one token for what is exchanged once, however many ask for it at once, and also when it has long expired", async () => {
    const ask = (over: Partial<modelV1.Principal> = {}) =>
      mintOne({ subjectTokenId: "jti-1", principal: principal(over) }).then(
        ({ token }) => token.status,
        ({ code, message }) => [code, message],
      );
    const refused = ["conflict", expect.stringContaining("has been exchanged already")];
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask()));
    expect(answers.filter((answer) => answer === TokenStatus.ACTIVE)).toHaveLength(1);
    expect(answers.filter((answer) => answer !== TokenStatus.ACTIVE)).toEqual(Array(11).fill(refused));
    const minted = "SELECT id FROM tokens.token WHERE subject_token_id = 'jti-1'";
    expect((await sql.query(minted)).rowCount).toBe(1);
    expect((await sql.query(`SELECT 1 FROM tokens.verifier WHERE token_id IN (${minted})`)).rowCount).toBe(1);
    // Another issuer's is another one.
    expect(await ask({ issuer: "other" })).toBe(TokenStatus.ACTIVE);
    now += 7 * 24 * 3_600_000;
    expect(await ask()).toEqual(refused);
  });

  it("gives one of many racers a once token, and tells the others that it is spent", async () => {
    for (let round = 0; round < 3; round++) {
      const { id } = await mintOne();
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, n) => redeemOnce(id, randomUUID(), `e${n % 3}`)),
      );
      expect(answers.filter(({ lease }) => lease)).toHaveLength(1);
      expect(answers.filter(({ refused }) => refused === "spent")).toHaveLength(23);
      expect((await sql.query("SELECT 1 FROM tokens.lease WHERE token_id = $1", [id])).rowCount).toBe(1);
    }
  });

  it("gives a burst exactly its uses, however many come at once", async () => {
    const { id } = await mintOne({ mode: UseMode.BURST, uses: 30, windowSeconds: 10 });
    const answers = await Promise.all(Array.from({ length: 60 }, () => redeemOnce(id)));
    expect(answers.filter(({ lease }) => lease)).toHaveLength(30);
    expect(answers.filter(({ refused }) => refused === "spent")).toHaveLength(30);
    expect(await bus.call(getToken, { id }, context())).toMatchObject({
      used: 30,
      uses: 30,
      status: TokenStatus.SPENT,
    });
  });

  it("closes a burst's window, counted from the first use", async () => {
    const { id } = await mintOne({ mode: UseMode.BURST, uses: 5, windowSeconds: 10 });
    now += 60_000;
    expect(await redeemOnce(id)).toHaveProperty("lease");
    now += 10_000;
    expect(await redeemOnce(id)).toHaveProperty("lease");
    expect(await statusOf(id)).toBe("ACTIVE");
    now += 1;
    expect(await redeemOnce(id)).toEqual({ refused: "window_closed" });
    expect(await statusOf(id)).toBe("SPENT");
  });

  it("leases what was minted, to the token's end", async () => {
    const { id, token } = await mintOne({ mode: UseMode.RUN });
    const sessionId = randomUUID();
    const { lease } = await redeemOnce(id, sessionId);
    expect(lease).toMatchObject({ sessionId, tokenId: id, resource: "shop", scope: ["sql:read"] });
    expect(lease!.principal).toEqual(principal());
    expect(lease!.expiresAt).toEqual(token.expiresAt);
  });

  it("answers the same session with its lease, and takes one use", async () => {
    const { id } = await mintOne();
    const sessionId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 8 }, () => redeemOnce(id, sessionId)));
    expect(new Set(answers.map(({ lease }) => lease?.sessionId))).toEqual(new Set([sessionId]));
    expect((await bus.call(getToken, { id }, context())).used).toBe(1);
  });

  it("never leases one session id under two tokens", async () => {
    const [a, b] = [await mintOne(), await mintOne()];
    const sessionId = randomUUID();
    await redeemOnce(a.id, sessionId);
    await expect(redeemOnce(b.id, sessionId)).rejects.toMatchObject({ code: "conflict" });
    expect(await statusOf(b.id)).toBe("ACTIVE");
  });

  it("refuses to lease what was not signed", async () => {
    const { id } = await mintOne();
    const forged = `UPDATE es.event SET body = replace(body::text, 'sql:read', 'sql:any')::json
      WHERE stream_id = $1`;
    await sql.query("ALTER TABLE es.event DISABLE TRIGGER USER");
    await sql.query(forged, [`token-${id}`]);
    await sql.query("ALTER TABLE es.event ENABLE TRIGGER USER");
    await expect(redeemOnce(id)).rejects.toMatchObject({ code: "internal" });
    expect((await sql.query("SELECT 1 FROM tokens.lease WHERE token_id = $1", [id])).rowCount).toBe(0);
  });

  it("keeps a refused exchange as a fact, once", async () => {
    const call = context();
    const asked = { reason: "exchanged_already", issuer: "ci", subject: "build", subjectTokenId: "jti-9", count: 1 };
    await bus.call(recordRefusal, { ...asked, clientAddresses: ["10.0.0.7"] }, call);
    await bus.call(recordRefusal, { ...asked, clientAddresses: ["10.0.0.7"] }, call);
    const { rows } = await sql.query("SELECT body FROM es.event WHERE type = 'ExchangeRefused'");
    expect(rows).toMatchObject([{ body: { ...asked, clientAddresses: ["10.0.0.7"], at: now } }]);
    await expect(bus.call(recordRefusal, { ...asked, reason: "Because I say so" }, context())).rejects.toMatchObject({
      code: "invalid",
    });
  });

  it("lets only the enforcer that has a session release it", async () => {
    const { id } = await mintOne();
    const sessionId = randomUUID();
    await redeemOnce(id, sessionId);
    await expect(bus.callEdge(release, "e2", { sessionId })).rejects.toMatchObject({ code: "forbidden" });
    expect(await endedOf([sessionId])).toEqual([]);
    await bus.callEdge(release, ENFORCER, { sessionId });
    await bus.callEdge(release, ENFORCER, { sessionId });
    expect(await endedOf([sessionId])).toEqual([[sessionId, "released"]]);
    await bus.callEdge(release, ENFORCER, { sessionId: randomUUID() });
  });

  describe("a revocation", () => {
    it("closes a spent token's open session, by push and by renewal", async () => {
      const { id } = await mintOne();
      const sessionId = randomUUID();
      await redeemOnce(id, sessionId);
      const other = randomUUID();
      await redeemOnce((await mintOne()).id, other);
      expect(await bus.call(revoke, { tokenId: id, reason: "leaked" }, context())).toMatchObject({
        tokens: [{ id, outcome: RevokedToken_Outcome.REVOKED, sessionsEnded: 1 }],
      });
      expect(await pushed()).toMatchObject([{ tokenIds: [id], sessionIds: [sessionId], reason: "leaked" }]);
      expect(await endedOf([sessionId, other])).toEqual([[sessionId, "leaked"]]);
      expect(await endedOf([other], "e2")).toEqual([[other, "the session is not known"]]);
      expect(await bus.call(getToken, { id }, context())).toMatchObject({
        status: TokenStatus.REVOKED,
        revokedBecause: "leaked",
      });
      expect(await redeemOnce(id, sessionId)).toEqual({ refused: "revoked" });
    });

    it.each([
      ["principalId", { id: "ci|gone" }, "ci|gone"],
      ["run", { run: "run-9" }, "run-9"],
      ["issuer", { issuer: "evil" }, "evil"],
    ])("reaches all of a %s and no others", async (selector, over, value) => {
      const mine = [await mintOne({ principal: principal(over) }), await mintOne({ principal: principal(over) })];
      const other = await mintOne();
      const { tokens } = await bus.call(revoke, { [selector]: value }, context());
      expect(tokens.map(({ id }) => id).sort()).toEqual(mine.map(({ id }) => id).sort());
      expect(await statusOf(other.id)).toBe("ACTIVE");
      expect(await bus.call(revoke, { [selector]: value }, context())).toMatchObject({ tokens: [] });
    });

    it("reaches all of a resource", async () => {
      const { id } = await mintOne({ resource: "bank" });
      expect((await bus.call(revoke, { resource: "bank" }, context())).tokens).toMatchObject([{ id }]);
    });

    it("leaves no session open that was opened while it went on", async () => {
      for (let round = 0; round < 4; round++) {
        const { id } = await mintOne({ mode: UseMode.BURST, uses: 20, windowSeconds: 10 });
        const sessions = Array.from({ length: 12 }, () => randomUUID());
        const [answers] = await Promise.all([
          Promise.all(sessions.map((session) => redeemOnce(id, session))),
          bus.call(revoke, { tokenId: id, reason: "race" }, context()),
        ]);
        for (const answer of answers)
          expect(answer.refused ?? answer.lease?.tokenId).toMatch(/^revoked$|^[0-9A-Za-z]{17}$/);
        expect(await endedOf(sessions)).toHaveLength(sessions.length);
      }
    });

    it("reaches tokens that are being minted", async () => {
      const over = { principal: principal({ run: "storm" }) };
      const minting = Array.from({ length: 20 }, () => mintOne(over));
      await Promise.race(minting);
      // Whatever was answered before the revocation was asked for must be revoked after it.
      const before = await sql.query("SELECT id FROM tokens.token WHERE run = 'storm'");
      const { tokens } = await bus.call(revoke, { run: "storm" }, context());
      expect(tokens.map(({ id }) => id)).toEqual(expect.arrayContaining(before.rows.map(({ id }) => id)));
      await Promise.all(minting);
    });

    it("says of what was over already what it was, and leaves it so", async () => {
      const outcomeOf = async (id: string) => (await bus.call(revoke, { tokenId: id }, context())).tokens;
      const { SPENT, EXPIRED, REVOKED_BEFORE } = RevokedToken_Outcome;
      const spent = await mintOne();
      const sessionId = randomUUID();
      await redeemOnce(spent.id, sessionId);
      await bus.callEdge(release, ENFORCER, { sessionId });
      expect(await outcomeOf(spent.id)).toMatchObject([{ id: spent.id, outcome: SPENT, sessionsEnded: 0 }]);
      expect(await statusOf(spent.id)).toBe("SPENT");
      const revoked = await mintOne();
      await outcomeOf(revoked.id);
      expect(await outcomeOf(revoked.id)).toMatchObject([{ outcome: REVOKED_BEFORE }]);
      const expired = await mintOne({ lifetimeSeconds: 1 });
      now += 1_000;
      expect(await outcomeOf(expired.id)).toMatchObject([{ outcome: EXPIRED }]);
      expect(await statusOf(expired.id)).toBe("EXPIRED");
    });

    it("needs exactly one selector, and a token that is there", async () => {
      for (const request of [{}, { run: "7", issuer: "ci" }]) {
        await expect(bus.call(revoke, request, context())).rejects.toMatchObject({ code: "invalid" });
      }
      await expect(bus.call(revoke, { tokenId: "x" }, context())).rejects.toMatchObject({ code: "not_found" });
    });
  });

  it("ends one session and leaves its token and the others", async () => {
    const { id } = await mintOne({ mode: UseMode.RUN });
    const [one, two] = [randomUUID(), randomUUID()];
    await redeemOnce(id, one);
    await redeemOnce(id, two);
    await bus.call(endSession, { sessionId: one, reason: "enough" }, context());
    expect(await pushed()).toMatchObject([{ tokenIds: [], sessionIds: [one], reason: "enough" }]);
    expect(await endedOf([one, two])).toEqual([[one, "enough"]]);
    await expect(bus.call(endSession, { sessionId: one }, context())).rejects.toMatchObject({ code: "gone" });
    await expect(bus.call(endSession, { sessionId: randomUUID() }, context())).rejects.toMatchObject({
      code: "not_found",
    });
    expect(await redeemOnce(id)).toHaveProperty("lease");
  });

  it("ends every lease with its token's life", async () => {
    const { id } = await mintOne({ mode: UseMode.RUN, lifetimeSeconds: 30 });
    const sessionId = randomUUID();
    await redeemOnce(id, sessionId);
    expect(await endedOf([sessionId])).toEqual([]);
    now += 30_000;
    expect(await endedOf([sessionId])).toEqual([[sessionId, "the lease has ended"]]);
  });

  it("lists in pages, newest first, each token once", async () => {
    const over = { principal: principal({ id: "ci|pages" }) };
    const ids: string[] = [];
    // Some share their millisecond.
    for (let n = 0; n < 7; n++) {
      ids.push((await mintOne(over)).id);
      now += n % 2;
    }
    const listed: string[] = [];
    let cursor = "";
    do {
      const page = { limit: 3, cursor };
      const answer = await bus.call(listTokens, { page, principalId: "ci|pages" }, context());
      expect(answer.tokens.length).toBeLessThanOrEqual(3);
      listed.push(...answer.tokens.map(({ id }) => id));
      cursor = answer.next;
    } while (cursor !== "");
    expect(listed).toHaveLength(7);
    expect([...listed].sort()).toEqual([...ids].sort());
    await bus.call(revoke, { tokenId: ids[0]! }, context());
    const filter = { principalId: "ci|pages", status: TokenStatus.REVOKED };
    expect((await bus.call(listTokens, filter, context())).tokens.map(({ id }) => id)).toEqual([ids[0]]);
    await expect(bus.call(listTokens, { page: { cursor: "nonsense" } }, context())).rejects.toMatchObject({
      code: "invalid",
    });
  });

  it("forgets the verifiers of tokens that expired a day ago", async () => {
    const { id } = await mintOne({ lifetimeSeconds: 1 });
    now += 1000 + 24 * 3_600_000 - 1;
    await mintOne();
    expect(await lookedUp(id)).toBe("found");
    now += 1;
    await mintOne();
    expect((await sql.query("SELECT 1 FROM tokens.verifier WHERE token_id = $1", [id])).rowCount).toBe(0);
    expect(await lookedUp(id)).toBe("expired");
  });

  it("makes its read models anew from the log, and they are the same", async () => {
    const all = async () => [
      (await sql.query("SELECT * FROM tokens.token ORDER BY id")).rows,
      (await sql.query("SELECT * FROM tokens.lease ORDER BY session_id")).rows,
    ];
    for (let wait = 0; wait < 500; wait++) {
      if ((await sql.query("SELECT 1 FROM es.pending")).rowCount === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // The forged event above is in the log but never was in the read model.
    const before = (await all()).map((rows) => rows.map(({ scope: _, ...row }) => row));
    const dataSource = await openDatabase({ databaseUrl: database.url });
    try {
      await sql.query("UPDATE tokens.token SET used = 99; DELETE FROM tokens.lease");
      await rebuildTokens(new PostgresEventStore(dataSource), dataSource);
    } finally {
      await dataSource.destroy();
    }
    expect((await all()).map((rows) => rows.map(({ scope: _, ...row }) => row))).toEqual(before);
  });

  it("does not start on a key that is none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "counterfoil-test-keys-"));
    try {
      writeFileSync(join(folder, "grant.key.pem"), "garbage");
      const module = TokensModule.register({ databaseUrl: database.url, keys: folder });
      await expect(startService({ bus, modules: [module], logger: false })).rejects.toThrow(
        /grant\.key\.pem must hold/,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
