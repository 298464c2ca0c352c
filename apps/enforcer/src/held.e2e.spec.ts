import { approvalV1 } from "#contracts";
import { EnforcedShop, failure } from "./enforced-shop.fixture.js";
import { POLICIES } from "./shop.fixture.js";

/** Commands that wait for a person, from the driver's side, psql's, and the approver's. */

const { ApprovalStatus } = approvalV1;

let shop: EnforcedShop;
beforeAll(async () => {
  shop = await EnforcedShop.start();
});
afterEach(() => shop.settled());
afterAll(() => shop?.drop());

describe("held", () => {
  const alter = "alter table notes add column if not exists held int";

  test("approved: the same connection goes on", async () => {
    const client = await shop.connect({}, shop.control.token({ lifetimeMs: 3_600_000 }));
    const running = client.query(alter);
    const id = await shop.control.pending();
    const approval = shop.control.approvals.get(id)!;
    expect(approval).toMatchObject({ statement: alter, approvers: "dba", resource: "shop", ttlSeconds: 900 });
    await shop.control.until(() => client.notices.length > 0);
    expect(client.notices[0]!.message).toContain(id);
    expect(client.notices[0]!.hint).toContain(`counterfoil approvals approve ${id}`);
    shop.control.decide(id, ApprovalStatus.APPROVED);
    expect((await running).command).toBe("ALTER");
    const [started] = await shop.control.recorded("commandStarted", 1, ({ approvalId }) => approvalId === id);
    expect(started!.command!.statement).toBe(alter);
    const [ended] = await shop.control.recorded("holdEnded");
    expect(ended).toMatchObject({ approvalId: id, status: ApprovalStatus.CONSUMED, by: [{ name: "Dana" }] });
    expect((await client.query("select held from notes limit 1")).rows.length).toBeLessThan(2);
  });

  test("not where a person could not be shown all of it", async () => {
    const client = await shop.connect();
    const hidden = `${alter};${" ".repeat(210_000)}alter table notes add column if not exists unseen int`;
    const before = shop.control.approvals.size;
    const error = await failure(client.query(hidden));
    expect(error.code).toBe("42501");
    expect(error.message).toContain("too large for a person to be shown all of it");
    expect(shop.control.approvals.size).toBe(before);
    const spaced = failure(client.query(`${alter};${" ".repeat(150_000)}${alter}`));
    const id = await shop.control.pending();
    expect(shop.control.approvals.get(id)!.statement).toHaveLength(2 * alter.length + 150_001);
    shop.control.decide(id, ApprovalStatus.REJECTED);
    expect((await spaced).message).toMatch(/rejected/);
  });

  test("approved in psql", async () => {
    const { ended, said } = shop.psql(["-c", alter]);
    const id = await shop.control.pending();
    await shop.control.until(() => said.err.includes(id));
    shop.control.decide(id, ApprovalStatus.APPROVED);
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(out).toContain("ALTER TABLE");
  });

  test("the decision's push is lost: it is found anyway", async () => {
    shop.control.pushesDecisions = false;
    try {
      const client = await shop.connect();
      const running = client.query(alter);
      shop.control.decide(await shop.control.pending(), ApprovalStatus.APPROVED);
      await running;
    } finally {
      shop.control.pushesDecisions = true;
    }
  });

  test.each([
    ["rejected", ApprovalStatus.REJECTED, "42501"],
    ["expired", ApprovalStatus.EXPIRED, "42501"],
  ])("%s: a native error, and the session goes on", async (_name, status, code) => {
    const client = await shop.connect();
    const running = failure(client.query(alter));
    shop.control.decide(await shop.control.pending(), status, "not today");
    const error = await running;
    expect(error.code).toBe(code);
    if (status === ApprovalStatus.REJECTED) {
      expect(error.message).toMatch(/rejected.*: not today/);
      expect(error.hint).toMatch(/^Change the command/);
    }
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    const [refused] = await shop.control.recorded("commandRefused");
    expect(refused!.approvalId).not.toBe("");
  });

  test("Ctrl-C in psql withdraws the request", async () => {
    const { child, ended, said } = shop.psql(["-c", alter]);
    const id = await shop.control.pending();
    await shop.control.until(() => said.err.includes(id));
    child.kill("SIGINT");
    const { err } = await ended;
    expect(err).toContain("57014");
    await shop.control.until(() => shop.control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN);
  });

  test("a client that goes away withdraws it", async () => {
    const { child } = shop.psql(["-c", alter]);
    const id = await shop.control.pending();
    child.kill("SIGKILL");
    await shop.control.until(() => shop.control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN);
    const [ended] = await shop.control.recorded("holdEnded");
    expect(ended!.status).toBe(ApprovalStatus.WITHDRAWN);
    await shop.control.recorded("sessionEnded");
  });

  test("no other session notices", async () => {
    const held = await shop.connect();
    const other = await shop.connect();
    const running = failure(held.query(alter));
    const id = await shop.control.pending();
    for (let n = 0; n < 20; n++) await other.query("select count(*) from orders");
    shop.control.decide(id, ApprovalStatus.REJECTED);
    await running;
  });

  test("the policy changes meanwhile: decided anew, and the approval of before is worth nothing", async () => {
    const before = shop.control.policies;
    const client = await shop.connect();
    const running = client.query(alter);
    const first = await shop.control.pending();
    try {
      shop.control.change({});
      await shop.control.until(() => shop.control.approvals.get(first)!.status === ApprovalStatus.WITHDRAWN);
      const second = await shop.control.pending();
      expect(second).not.toBe(first);
      expect([first, second].map((id) => shop.control.approvals.get(id)!.replaces)).toEqual(["", first]);
      const held = await shop.control.recorded("commandHeld", 2);
      expect(held.map(({ approvalId, replaces }) => [approvalId, replaces])).toEqual([
        [first, ""],
        [second, first],
      ]);
      expect(shop.control.approvals.get(second)!.policyEpoch).toBe(BigInt(shop.control.epoch));
      await shop.control.until(() => client.notices.at(-1)?.message?.includes(`${second}, no longer for ${first}`));
      const free = { name: "free", text: 'permit (principal, action in Action::"sql:ddl", resource);' };
      shop.control.change({ policies: [...POLICIES, free] });
      expect((await running).command).toBe("ALTER");
    } finally {
      shop.control.change({ policies: before });
    }
  });

  test("a transaction that has changed what it asks about again goes on at once when approved", async () => {
    await shop.direct("create view names as select name from customers");
    const client = await shop.connect();
    await client.query("begin");
    for (const column of ["one", "two"]) {
      const running = client.query(`alter table customers add column ${column} int`);
      shop.control.decide(await shop.control.pending(), ApprovalStatus.APPROVED);
      expect((await running).command).toBe("ALTER");
    }
    await client.query("rollback");
    await shop.direct("drop view names");
  });

  test("another session changes meanwhile what it reads: what was approved is no more", async () => {
    const before = shop.control.policies;
    const asked = `Group::"asked"`;
    const text = `
      permit (principal, action in [Action::"connect", Action::"copy"], resource);
      permit (principal, action in [Action::"sql:read", Action::"sql:ddl"], resource) unless { principal in ${asked} };
      @approval("dba") permit (principal in ${asked}, action in Action::"sql:read", resource);`;
    shop.control.change({ policies: [{ name: "asked", text }] });
    try {
      const other = await shop.connect();
      const through = (sql: string) => other.query(sql);
      for (const view of ["shown", "same"]) await through(`create view ${view} as select id, name as v from customers`);
      await through("create view outer_shown as select v from shown where id = 1");
      await through(
        "create function one() returns text language sql stable as $$ select name from customers limit 1 $$",
      );
      const approved = async (text: string, replaced: string, by: (sql: string) => Promise<unknown> = through) => {
        const client = await shop.connect({}, shop.control.token({ groups: ["asked"] }));
        const running: Promise<unknown> = client.query(text).catch((error) => error);
        const id = await shop.control.pending();
        await by(replaced);
        shop.control.decide(id, ApprovalStatus.APPROVED);
        return running;
      };
      const refuses = { code: "42501", message: expect.stringContaining("while it waited") };
      const shown = "select v from shown where id = 1";
      const replaced = (text: string) => `create or replace view ${text}`;
      const unchanged = await approved(shown, replaced("same as select id, name as v from customers where id = 2"));
      expect(unchanged).toMatchObject({ rows: [{ v: "Name 1" }] });
      const wider = replaced("shown as select id, name as v from customers where true or id = 2");
      expect(await approved("select v from outer_shown", wider)).toMatchObject(refuses);
      const direct = (sql: string) => shop.direct(sql);
      expect(
        await approved(shown, replaced("shown as select 1 as id, name as v from customers"), direct),
      ).toMatchObject(refuses);
      const body =
        "create or replace function one() returns text language sql stable as $$ select max(name) from customers $$";
      expect(await approved("select one()", body)).toMatchObject(refuses);
      expect(await approved(shown, replaced("shown as select id, email as v from customers"))).toMatchObject(refuses);
      const [refused] = await shop.control.recorded("commandRefused");
      const { approvalId } = refused!;
      const given = () => shop.control.approvals.get(approvalId)!.status === ApprovalStatus.WITHDRAWN;
      await shop.control.until(given);
      const [end] = await shop.control.recorded("holdEnded", 1, (ended) => ended.approvalId === approvalId);
      expect(end!.status).toBe(ApprovalStatus.WITHDRAWN);
    } finally {
      shop.control.change({ policies: before });
    }
  });
});
