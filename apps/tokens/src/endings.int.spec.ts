import { randomUUID } from "node:crypto";
import { edgeV1, tokensV1 } from "#contracts";
import { context, ENFORCER, principal, RunningTokens } from "./tokens.fixture.js";

const { getToken, revoke, endSession } = tokensV1.Tokens.method;
const { release } = edgeV1.EdgeTokens.method;
const { UseMode, TokenStatus, RevokedToken_Outcome } = tokensV1;

let service: RunningTokens;
beforeAll(async () => {
  service = await RunningTokens.start();
}, 60_000);
afterAll(() => service?.drop());
beforeEach(() => {
  service.heard = [];
});

it("lets only the enforcer that has a session release it", async () => {
  const { id } = await service.mintOne();
  const sessionId = randomUUID();
  await service.redeemOnce(id, sessionId);
  await expect(service.bus.callEdge(release, "e2", { sessionId })).rejects.toMatchObject({ code: "forbidden" });
  expect(await service.endedOf([sessionId])).toEqual([]);
  await service.bus.callEdge(release, ENFORCER, { sessionId });
  await service.bus.callEdge(release, ENFORCER, { sessionId });
  expect(await service.endedOf([sessionId])).toEqual([[sessionId, "released"]]);
  await service.bus.callEdge(release, ENFORCER, { sessionId: randomUUID() });
});

describe("a revocation", () => {
  it("closes a spent token's open session, by push and by renewal", async () => {
    const { id } = await service.mintOne();
    const sessionId = randomUUID();
    await service.redeemOnce(id, sessionId);
    const other = randomUUID();
    await service.redeemOnce((await service.mintOne()).id, other);
    expect(await service.bus.call(revoke, { tokenId: id, reason: "leaked" }, context())).toMatchObject({
      tokens: [{ id, outcome: RevokedToken_Outcome.REVOKED, sessionsEnded: 1 }],
    });
    expect(await service.pushed()).toMatchObject([{ tokenIds: [id], sessionIds: [sessionId], reason: "leaked" }]);
    expect(await service.endedOf([sessionId, other])).toEqual([[sessionId, "leaked"]]);
    expect(await service.endedOf([other], "e2")).toEqual([[other, "the session is not known"]]);
    expect(await service.bus.call(getToken, { id }, context())).toMatchObject({
      status: TokenStatus.REVOKED,
      revokedBecause: "leaked",
    });
    expect(await service.redeemOnce(id, sessionId)).toEqual({ refused: "revoked" });
  });

  it.each([
    ["principalId", { id: "ci|gone" }, "ci|gone"],
    ["run", { run: "run-9" }, "run-9"],
    ["issuer", { issuer: "evil" }, "evil"],
  ])("reaches all of a %s and no others", async (selector, over, value) => {
    const mine = [
      await service.mintOne({ principal: principal(over) }),
      await service.mintOne({ principal: principal(over) }),
    ];
    const other = await service.mintOne();
    const { tokens } = await service.bus.call(revoke, { [selector]: value }, context());
    expect(tokens.map(({ id }) => id).sort()).toEqual(mine.map(({ id }) => id).sort());
    expect(await service.statusOf(other.id)).toBe("ACTIVE");
    expect(await service.bus.call(revoke, { [selector]: value }, context())).toMatchObject({ tokens: [] });
  });

  it("reaches all of a resource", async () => {
    const { id } = await service.mintOne({ resource: "bank" });
    expect((await service.bus.call(revoke, { resource: "bank" }, context())).tokens).toMatchObject([{ id }]);
  });

  it("leaves no session open that was opened while it went on", async () => {
    for (let round = 0; round < 4; round++) {
      const { id } = await service.mintOne({ mode: UseMode.BURST, uses: 20, windowSeconds: 10 });
      const sessions = Array.from({ length: 12 }, () => randomUUID());
      const [answers] = await Promise.all([
        Promise.all(sessions.map((session) => service.redeemOnce(id, session))),
        service.bus.call(revoke, { tokenId: id, reason: "race" }, context()),
      ]);
      for (const answer of answers)
        expect(answer.refused ?? answer.lease?.tokenId).toMatch(/^revoked$|^[0-9A-Za-z]{17}$/);
      expect(await service.endedOf(sessions)).toHaveLength(sessions.length);
    }
  });

  it("reaches tokens that are being minted", async () => {
    const over = { principal: principal({ run: "storm" }) };
    const minting = Array.from({ length: 20 }, () => service.mintOne(over));
    await Promise.race(minting);
    // Whatever was answered before the revocation was asked for must be revoked after it.
    const before = await service.sql.query("SELECT id FROM tokens.token WHERE run = 'storm'");
    const { tokens } = await service.bus.call(revoke, { run: "storm" }, context());
    expect(tokens.map(({ id }) => id)).toEqual(expect.arrayContaining(before.rows.map(({ id }) => id)));
    await Promise.all(minting);
  });

  it("says of what was over already what it was, and leaves it so", async () => {
    const outcomeOf = async (id: string) => (await service.bus.call(revoke, { tokenId: id }, context())).tokens;
    const { SPENT, EXPIRED, REVOKED_BEFORE } = RevokedToken_Outcome;
    const spent = await service.mintOne();
    const sessionId = randomUUID();
    await service.redeemOnce(spent.id, sessionId);
    await service.bus.callEdge(release, ENFORCER, { sessionId });
    expect(await outcomeOf(spent.id)).toMatchObject([{ id: spent.id, outcome: SPENT, sessionsEnded: 0 }]);
    expect(await service.statusOf(spent.id)).toBe("SPENT");
    const revoked = await service.mintOne();
    await outcomeOf(revoked.id);
    expect(await outcomeOf(revoked.id)).toMatchObject([{ outcome: REVOKED_BEFORE }]);
    const expired = await service.mintOne({ lifetimeSeconds: 1 });
    service.now += 1_000;
    expect(await outcomeOf(expired.id)).toMatchObject([{ outcome: EXPIRED }]);
    expect(await service.statusOf(expired.id)).toBe("EXPIRED");
  });

  it("needs exactly one selector, and a token that is there", async () => {
    for (const request of [{}, { run: "7", issuer: "ci" }]) {
      await expect(service.bus.call(revoke, request, context())).rejects.toMatchObject({ code: "invalid" });
    }
    await expect(service.bus.call(revoke, { tokenId: "x" }, context())).rejects.toMatchObject({ code: "not_found" });
  });
});

it("ends one session and leaves its token and the others", async () => {
  const { id } = await service.mintOne({ mode: UseMode.RUN });
  const [one, two] = [randomUUID(), randomUUID()];
  await service.redeemOnce(id, one);
  await service.redeemOnce(id, two);
  await service.bus.call(endSession, { sessionId: one, reason: "enough" }, context());
  expect(await service.pushed()).toMatchObject([{ tokenIds: [], sessionIds: [one], reason: "enough" }]);
  expect(await service.endedOf([one, two])).toEqual([[one, "enough"]]);
  await expect(service.bus.call(endSession, { sessionId: one }, context())).rejects.toMatchObject({ code: "gone" });
  await expect(service.bus.call(endSession, { sessionId: randomUUID() }, context())).rejects.toMatchObject({
    code: "not_found",
  });
  expect(await service.redeemOnce(id)).toHaveProperty("lease");
});

it("ends every lease with its token's life", async () => {
  const { id } = await service.mintOne({ mode: UseMode.RUN, lifetimeSeconds: 30 });
  const sessionId = randomUUID();
  await service.redeemOnce(id, sessionId);
  expect(await service.endedOf([sessionId])).toEqual([]);
  service.now += 30_000;
  expect(await service.endedOf([sessionId])).toEqual([[sessionId, "the lease has ended"]]);
});
