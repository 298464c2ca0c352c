import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { startService } from "#bus/nest";
import { edgeV1, type modelV1, tokensV1 } from "#contracts";
import { openDatabase, PostgresEventStore } from "#event-store-postgres";
import { parseToken } from "#tokens";
import { rebuildTokens } from "./projections/rebuild.js";
import { ask, context, ENFORCER, principal, RunningTokens } from "./tokens.fixture.js";
import { TokensModule } from "./tokens.module.js";

const { mint, recordRefusal, getToken, listTokens, revoke, getSession } = tokensV1.Tokens.method;
const { lookup, release } = edgeV1.EdgeTokens.method;
const { UseMode, TokenStatus } = tokensV1;

let service: RunningTokens;
beforeAll(async () => {
  service = await RunningTokens.start();
}, 60_000);
afterAll(() => service?.drop());

it.each(["elsewhere", "removed", "unheard-of"])(
  "an enforcer %s learns nothing and spends nothing",
  async (enforcer) => {
    const { id } = await service.mintOne();
    expect(await service.bus.callEdge(lookup, enforcer, { tokenId: id, protocol: "postgres" })).toMatchObject({
      ...{ found: false, verifier: "", resource: "", refused: "unknown" },
    });
    expect(await service.redeemOnce(id, randomUUID(), enforcer)).toEqual({ refused: "unknown" });
    expect(await service.redeemOnce(id)).toHaveProperty("lease");
  },
);

it("knows whose a session is", async () => {
  const { id } = await service.mintOne();
  const sessionId = randomUUID();
  await service.redeemOnce(id, sessionId);
  const known = { sessionId, tokenId: id, enforcerId: ENFORCER, resource: "shop", principal: { id: "ci|build" } };
  expect(await service.bus.call(getSession, { sessionId }, context())).toMatchObject({ ...known, open: true });
  await service.bus.callEdge(release, ENFORCER, { sessionId });
  expect(await service.bus.call(getSession, { sessionId }, context())).toMatchObject({ ...known, open: false });
  await expect(service.bus.call(getSession, { sessionId: randomUUID() }, context())).rejects.toMatchObject({
    code: "not_found",
  });
});

it("a deleted resource's tokens open nothing", async () => {
  const { id } = await service.mintOne({ resource: "deleted" });
  expect(await service.lookedUp(id)).toBe("unknown");
  expect(await service.redeemOnce(id)).toEqual({ refused: "unknown" });
});

it("mints what its login can be verified with, and keeps no secret", async () => {
  const { id, token, text } = await service.mintOne();
  const { password } = parseToken(text);
  expect(token).toMatchObject({ status: TokenStatus.ACTIVE, mode: UseMode.ONCE, uses: 1, used: 0, version: 1n });
  expect(timestampMs(token.expiresAt!)).toBe(service.now + 600_000);
  const found = await service.bus.callEdge(lookup, ENFORCER, { tokenId: id, protocol: "postgres" });
  expect(found).toMatchObject({ found: true, resource: "shop" });
  expect(found.verifier).toMatch(/^SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+$/);
  for (const table of ["es.event", "es.command", "tokens.token", "tokens.lease", "tokens.verifier"]) {
    const { rows } = await service.sql.query(`SELECT t::text AS row FROM ${table} t`);
    expect(JSON.stringify(rows)).not.toContain(password.slice(0, 12));
    if (table === "es.event") expect(JSON.stringify(rows)).not.toContain("SCRAM");
  }
});

it("keeps its keys for its owner only", () => {
  for (const file of ["pepper", "grant.key.pem"]) expect(statSync(join(service.keys, file)).mode & 0o777).toBe(0o600);
});

it("knows no token that is not there, or is of another protocol", async () => {
  expect(await service.lookedUp("x".repeat(17))).toBe("unknown");
  expect(await service.lookedUp("'; DROP TABLE tokens.token --")).toBe("unknown");
  const { id } = await service.mintOne();
  expect(await service.lookedUp(id, "mysql")).toBe("unknown");
});

it("gives what proves the secret of a token that is spent or expired too: its redemption says which", async () => {
  const { id } = await service.mintOne();
  const short = await service.mintOne({ lifetimeSeconds: 5 });
  await service.redeemOnce(id);
  expect(await service.lookedUp(id)).toBe("found");
  expect(await service.redeemOnce(id)).toEqual({ refused: "spent" });
  service.now += 5000;
  expect(await service.lookedUp(short.id)).toBe("found");
  expect(await service.statusOf(short.id)).toBe("EXPIRED");
  expect(await service.redeemOnce(short.id)).toEqual({ refused: "expired" });
  expect(await service.statusOf(id)).toBe("SPENT");
});

it.each([
  [{ lifetimeSeconds: 3601 }, "lifetime_seconds"],
  [{ scope: ["read everything"] }, "scope"],
  [{ protocol: "gopher" }, "protocol"],
  [{ mode: UseMode.RUN, principal: principal({ run: "" }) }, "mode"],
  [{ mode: 9 as tokensV1.UseMode }, "mode"],
])("refuses to mint %j for its %s", async (over, field) => {
  await expect(service.mintOne(over)).rejects.toMatchObject({ code: "invalid", details: { field } });
});

it("shows a token's text once, also to the same request again", async () => {
  const one = context();
  await service.bus.call(mint, ask(), one);
  await expect(service.bus.call(mint, ask(), one)).rejects.toMatchObject({ code: "conflict" });
});

it("mints one token for what is exchanged once, however many ask for it at once, and also when it has long expired", async () => {
  const ask = (over: Partial<modelV1.Principal> = {}) =>
    service.mintOne({ subjectTokenId: "jti-1", principal: principal(over) }).then(
      ({ token }) => token.status,
      ({ code, message }) => [code, message],
    );
  const refused = ["conflict", expect.stringContaining("has been exchanged already")];
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask()));
  expect(answers.filter((answer) => answer === TokenStatus.ACTIVE)).toHaveLength(1);
  expect(answers.filter((answer) => answer !== TokenStatus.ACTIVE)).toEqual(Array(11).fill(refused));
  const minted = "SELECT id FROM tokens.token WHERE subject_token_id = 'jti-1'";
  expect((await service.sql.query(minted)).rowCount).toBe(1);
  expect((await service.sql.query(`SELECT 1 FROM tokens.verifier WHERE token_id IN (${minted})`)).rowCount).toBe(1);
  // Another issuer's is another one.
  expect(await ask({ issuer: "other" })).toBe(TokenStatus.ACTIVE);
  service.now += 7 * 24 * 3_600_000;
  expect(await ask()).toEqual(refused);
});

it("gives one of many racers a once token, and tells the others that it is spent", async () => {
  for (let round = 0; round < 3; round++) {
    const { id } = await service.mintOne();
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) => service.redeemOnce(id, randomUUID(), `e${n % 3}`)),
    );
    expect(answers.filter(({ lease }) => lease)).toHaveLength(1);
    expect(answers.filter(({ refused }) => refused === "spent")).toHaveLength(23);
    expect((await service.sql.query("SELECT 1 FROM tokens.lease WHERE token_id = $1", [id])).rowCount).toBe(1);
  }
});

it("takes a use back of a session that never opened, and tells of those that are open", async () => {
  const { id } = await service.mintOne();
  const token = () => service.bus.call(getToken, { id }, context());
  const [failed, open] = [randomUUID(), randomUUID()];
  await service.redeemOnce(id, failed);
  expect(await token()).toMatchObject({ status: TokenStatus.SPENT, used: 1, openSessions: 1 });
  await service.bus.callEdge(release, ENFORCER, { sessionId: failed, unopened: true });
  await service.bus.callEdge(release, ENFORCER, { sessionId: failed, unopened: true });
  expect(await token()).toMatchObject({ status: TokenStatus.ACTIVE, used: 0, openSessions: 0 });
  expect(await service.redeemOnce(id, failed)).toEqual({ refused: "spent" });
  expect(await service.redeemOnce(id, open)).toHaveProperty("lease");
  expect(await service.redeemOnce(id)).toEqual({ refused: "spent" });
  // Of one that is over, or of no such thing, nothing more is given back.
  await service.bus.callEdge(release, ENFORCER, { sessionId: open });
  await service.bus.callEdge(release, ENFORCER, { sessionId: open, unopened: true });
  expect(await token()).toMatchObject({ status: TokenStatus.SPENT, used: 1, openSessions: 0 });
  expect(await service.redeemOnce(id)).toEqual({ refused: "spent" });
});

it("says how many uses a token had that has none left", async () => {
  const { id } = await service.mintOne({ mode: UseMode.BURST, uses: 2 });
  await service.redeemOnce(id);
  await service.redeemOnce(id);
  const request = { tokenId: id, sessionId: randomUUID(), protocol: "postgres" };
  expect(await service.bus.callEdge(edgeV1.EdgeTokens.method.redeem, ENFORCER, request)).toMatchObject({
    outcome: { case: "refused", value: "spent" },
    uses: 2,
  });
});

it("gives a burst exactly its uses, however many come at once", async () => {
  const { id } = await service.mintOne({ mode: UseMode.BURST, uses: 30, windowSeconds: 10 });
  const answers = await Promise.all(Array.from({ length: 60 }, () => service.redeemOnce(id)));
  expect(answers.filter(({ lease }) => lease)).toHaveLength(30);
  expect(answers.filter(({ refused }) => refused === "spent")).toHaveLength(30);
  expect(await service.bus.call(getToken, { id }, context())).toMatchObject({
    used: 30,
    uses: 30,
    status: TokenStatus.SPENT,
  });
});

it("closes a burst's window, counted from the first use", async () => {
  const { id } = await service.mintOne({ mode: UseMode.BURST, uses: 5, windowSeconds: 10 });
  service.now += 60_000;
  expect(await service.redeemOnce(id)).toHaveProperty("lease");
  service.now += 10_000;
  expect(await service.redeemOnce(id)).toHaveProperty("lease");
  expect(await service.statusOf(id)).toBe("ACTIVE");
  service.now += 1;
  expect(await service.redeemOnce(id)).toEqual({ refused: "window_closed" });
  expect(await service.statusOf(id)).toBe("SPENT");
});

it("leases what was minted, to the token's end", async () => {
  const { id, token } = await service.mintOne({ mode: UseMode.RUN });
  const sessionId = randomUUID();
  const { lease } = await service.redeemOnce(id, sessionId);
  expect(lease).toMatchObject({ sessionId, tokenId: id, resource: "shop", scope: ["sql:read"] });
  expect(lease!.principal).toEqual(principal());
  expect(lease!.expiresAt).toEqual(token.expiresAt);
});

it("answers the same session with its lease, and takes one use", async () => {
  const { id } = await service.mintOne();
  const sessionId = randomUUID();
  const answers = await Promise.all(Array.from({ length: 8 }, () => service.redeemOnce(id, sessionId)));
  expect(new Set(answers.map(({ lease }) => lease?.sessionId))).toEqual(new Set([sessionId]));
  expect((await service.bus.call(getToken, { id }, context())).used).toBe(1);
});

it("never leases one session id under two tokens", async () => {
  const [a, b] = [await service.mintOne(), await service.mintOne()];
  const sessionId = randomUUID();
  await service.redeemOnce(a.id, sessionId);
  await expect(service.redeemOnce(b.id, sessionId)).rejects.toMatchObject({ code: "conflict" });
  expect(await service.statusOf(b.id)).toBe("ACTIVE");
});

it("refuses to lease what was not signed", async () => {
  const { id } = await service.mintOne();
  const forged = `UPDATE es.event SET body = replace(body::text, 'sql:read', 'sql:any')::json
    WHERE stream_id = $1`;
  await service.sql.query("ALTER TABLE es.event DISABLE TRIGGER USER");
  await service.sql.query(forged, [`token-${id}`]);
  await service.sql.query("ALTER TABLE es.event ENABLE TRIGGER USER");
  await expect(service.redeemOnce(id)).rejects.toMatchObject({ code: "internal" });
  expect((await service.sql.query("SELECT 1 FROM tokens.lease WHERE token_id = $1", [id])).rowCount).toBe(0);
});

it("keeps a refused exchange as a fact, once", async () => {
  const call = context();
  const asked = { reason: "exchanged_already", issuer: "ci", subject: "build", subjectTokenId: "jti-9", count: 1 };
  await service.bus.call(recordRefusal, { ...asked, clientAddresses: ["10.0.0.7"] }, call);
  await service.bus.call(recordRefusal, { ...asked, clientAddresses: ["10.0.0.7"] }, call);
  const { rows } = await service.sql.query("SELECT body FROM es.event WHERE type = 'ExchangeRefused'");
  expect(rows).toMatchObject([{ body: { ...asked, clientAddresses: ["10.0.0.7"], at: service.now } }]);
  await expect(
    service.bus.call(recordRefusal, { ...asked, reason: "Because I say so" }, context()),
  ).rejects.toMatchObject({
    code: "invalid",
  });
});

it("lists in pages, newest first, each token once", async () => {
  const over = { principal: principal({ id: "ci|pages" }) };
  const ids: string[] = [];
  // Some share their millisecond.
  for (let n = 0; n < 7; n++) {
    ids.push((await service.mintOne(over)).id);
    service.now += n % 2;
  }
  const listed: string[] = [];
  let cursor = "";
  do {
    const page = { limit: 3, cursor };
    const answer = await service.bus.call(listTokens, { page, principalId: "ci|pages" }, context());
    expect(answer.tokens.length).toBeLessThanOrEqual(3);
    listed.push(...answer.tokens.map(({ id }) => id));
    cursor = answer.next;
  } while (cursor !== "");
  expect(listed).toHaveLength(7);
  expect([...listed].sort()).toEqual([...ids].sort());
  await service.bus.call(revoke, { tokenId: ids[0]! }, context());
  const filter = { principalId: "ci|pages", status: TokenStatus.REVOKED };
  expect((await service.bus.call(listTokens, filter, context())).tokens.map(({ id }) => id)).toEqual([ids[0]]);
  await expect(service.bus.call(listTokens, { page: { cursor: "nonsense" } }, context())).rejects.toMatchObject({
    code: "invalid",
  });
});

it("forgets the verifiers of tokens that expired a day ago", async () => {
  const { id } = await service.mintOne({ lifetimeSeconds: 1 });
  service.now += 1000 + 24 * 3_600_000 - 1;
  await service.mintOne();
  expect(await service.lookedUp(id)).toBe("found");
  service.now += 1;
  await service.mintOne();
  expect((await service.sql.query("SELECT 1 FROM tokens.verifier WHERE token_id = $1", [id])).rowCount).toBe(0);
  expect(await service.lookedUp(id)).toBe("expired");
});

it("makes its read models anew from the log, and they are the same", async () => {
  const all = async () => [
    (await service.sql.query("SELECT * FROM tokens.token ORDER BY id")).rows,
    (await service.sql.query("SELECT * FROM tokens.lease ORDER BY session_id")).rows,
  ];
  for (let wait = 0; wait < 500; wait++) {
    if ((await service.sql.query("SELECT 1 FROM es.pending")).rowCount === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // The forged event above is in the log but never was in the read model.
  const before = (await all()).map((rows) => rows.map(({ scope: _, ...row }) => row));
  const dataSource = await openDatabase({ databaseUrl: service.databaseUrl });
  try {
    await service.sql.query("UPDATE tokens.token SET used = 99; DELETE FROM tokens.lease");
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
    const module = TokensModule.register({ databaseUrl: service.databaseUrl, keys: folder });
    await expect(startService({ bus: service.bus, modules: [module], logger: false })).rejects.toThrow(
      /grant\.key\.pem must hold/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
