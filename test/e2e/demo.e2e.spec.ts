import { createRequire } from "node:module";
import { eventually, Installation } from "./installation.js";

// The README's walk, with real psql. The steps build on one another and run in order.

const FIRST_CUSTOMER = {
  name: "Alan Hopper",
  email: "alan.hopper1@example.com",
  phone: "+1 555 919 4729",
  card: "4000000982451653",
  nationalId: "863-31-2843",
};

interface Event {
  readonly index: number;
  readonly type: string;
  readonly session_id?: string;
}

/** psql of the CI job; rows only. */
const AS_CI = ["run", "--as", "ci", "--resource", "shop", "--", "psql", "-X", "-A", "-t"];

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.create();
  await installation.start();
}, 180_000);

afterAll(() => installation?.dispose());

const eventsOf = async (): Promise<Event[]> => {
  const text = await (await installation.api("GET", "/v1/events?after=0&limit=1000")).text();
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line));
};

describe("1. select works, and labelled columns come masked", () => {
  const raw = (text: string) => Object.values(FIRST_CUSTOMER).filter((value) => text.includes(value));

  test.each([
    ["as they are", "select name, email, phone, card_number, national_id from customers where id = 1"],
    ["under an alias", "select email as contact, c.name as who from customers c where id = 1"],
    ["in an expression", "select upper(email), name || '!', left(phone, 99) from customers where id = 1"],
    [
      "in a subquery, a CTE, a union",
      "with c as (select email e from customers where id = 1) select e from c union all select name from customers where id = 1",
    ],
    ["as a whole row", "select c, row_to_json(c), c::text from customers c where id = 1"],
    ["in an aggregate", "select string_agg(email, ','), array_agg(name), array_agg(phone) from customers where id = 1"],
    ["through a view", "select * from big_spenders where email = 'alan.hopper1@example.com'"],
    ["through COPY", "copy customers to stdout"],
    ["through COPY of a query", "copy (select email as x, name from customers where id = 1) to stdout with csv"],
    ["in an update's RETURNING", "update customers set country = country where id = 1 returning email, name"],
  ])("%s", async (_how, sql) => {
    const { code, stdout, stderr } = await installation.psql(sql);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout.length).toBeGreaterThan(0);
    expect(raw(stdout.toLowerCase() + stdout)).toEqual([]);
  });

  test("what no label covers passes as it is", async () => {
    const { stdout } = await installation.psql("select id, country, joined_on from customers where id = 1");
    expect(stdout.trim()).toBe("1|FR|2019-02-07");
  });

  test.each([
    ["letter by letter", "select id from customers where email like 'alan%'", "pattern by LIKE in WHERE"],
    ["by their order", "select id from customers order by national_id", "ORDER BY"],
    ["by an error", "select 1 / (length(phone) - 15) from customers", "public.customers.phone"],
    ["by another's address for a name", "select id from customers where name = 'Ada Lovelace'", "pii.name"],
  ])("what is masked is not read %s", async (_how, sql, told) => {
    const { code, stdout, stderr } = await installation.psql(sql, "-v", "VERBOSITY=verbose");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("42501");
    expect(stderr).toContain(told);
  });

  test("a customer is found by the address one knows", async () => {
    const { stdout } = await installation.psql(
      "select id, email from customers where email = 'alan.hopper1@example.com'",
    );
    expect(stdout.trim()).toBe("1|a***********@*******.com");
  });

  test("the last four digits of a card remain", async () => {
    const { stdout } = await installation.psql("select card_number from customers where id = 1");
    expect(stdout.trim()).toMatch(/^\*+1653$/);
  });
});

describe("2. update with a WHERE works; delete without one and drop table are blocked", () => {
  test("an update says which rows", async () => {
    const { code, stdout } = await installation.psql("update orders set status = 'paid' where id = 1");
    expect([code, stdout.trim()]).toEqual([0, "UPDATE 1"]);
  });

  test.each([
    ["delete from payments", "say-which-rows"],
    ["delete from payments where true", "say-which-rows"],
    ["delete from payments where 1 = 1 or amount > 0", "say-which-rows"],
    ["drop table payments", "no-drop"],
    ["drop schema public cascade", "no-drop"],
    ["drop database shop", "no-drop"],
    ["drop domain if exists money_of_shop cascade", "no-drop"],
    ["truncate payments", "no-drop"],
    ["DO $$ begin delete from payments; end $$", ""],
  ])("%s", async (sql, policy) => {
    const { code, stderr } = await installation.psql(sql, "-v", "VERBOSITY=verbose");
    expect(code).toBe(1);
    expect(stderr).toContain("42501");
    expect(stderr).toContain(policy);
  });

  test("the session goes on after a refusal", async () => {
    const { stdout, stderr } = await installation.cli(
      ...AS_CI,
      ...["-c", "delete from payments", "-c", "select count(*) from payments"],
    );
    expect(stderr).toContain("say-which-rows");
    expect(stdout.trim()).toBe("3750");
  });
});

describe("3. alter table waits for a person", () => {
  const held = async (sql: string) => {
    const running = installation.begin([...AS_CI, "-c", sql]);
    const [, id] = await running.says(/approvals approve ([0-9a-f-]{36})/);
    return { running, id: id ?? "" };
  };

  test("approved from another terminal, it goes on in the same psql, and no other session notices", async () => {
    const { running, id } = await held("alter table orders add column note text");
    const other = await installation.psql("select 1");
    expect(other.stdout.trim()).toBe("1");
    const approval = await installation.cli("approvals", "approve", id, "--reason", "ticket 42");
    expect(approval.code).toBe(0);
    const { code, stdout } = await running.finished;
    expect([code, stdout.trim()]).toEqual([0, "ALTER TABLE"]);
    const { stdout: column } = await installation.psql("select count(note) from orders");
    expect(column.trim()).toBe("0");
  });

  test("an approval is consumed once: the same statement again waits again, and a rejection is a native error", async () => {
    const { running, id } = await held("alter table orders add column note2 text");
    const rejection = await installation.cli("approvals", "reject", id, "--reason", "not today");
    expect(rejection.code).toBe(0);
    const { code, stderr } = await running.finished;
    expect(code).toBe(1);
    expect(stderr).toContain("not today");
  });

  test("Ctrl-C withdraws the request", async () => {
    const { running, id } = await held("alter table orders add column note3 text");
    running.child.kill("SIGINT");
    await running.finished;
    await eventually(async () => {
      const { status } = await installation.get<{ status: string }>(`/v1/approvals/${id}`);
      return status === "withdrawn";
    });
    expect((await installation.cli("approvals", "approve", id)).code).not.toBe(0);
  });
});

describe("4. tokens run out", () => {
  test("the second use of a once token is refused", async () => {
    const { stdout } = await installation.cli("token", "--as", "ci", "--resource", "shop", "--mode", "once", "--json");
    const { connection } = JSON.parse(stdout);
    const connect = () => installation.cli(...AS_CI, "-d", connection.uri, "-c", "select 1");
    expect((await connect()).stdout.trim()).toBe("1");
    const second = await connect();
    expect(second.code).toBe(2);
    expect(second.stderr).toContain("This token has been used up.");
    await eventually(async () => {
      const refused = (await eventsOf()).find(({ type }) => type === "login.refused");
      return refused && JSON.stringify(refused).includes('"token_fault":"spent"');
    });
  });

  test("a revoked token ends the open session, in the middle of a query", async () => {
    const running = installation.begin([...AS_CI, ...["-c", "select 'started'", "-c", "select pg_sleep(3600)"]]);
    await running.says(/started/);
    const session = await eventually(async () => {
      const { items } = await installation.get<{ items: { token_id: string }[] }>("/v1/sessions?status=open");
      return items.length === 1 && items[0];
    });
    const revoked = await installation.cli("tokens", "revoke", session.token_id, "--reason", "leaked");
    expect(revoked.code).toBe(0);
    const { code, stderr } = await running.finished;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/leaked|revoked/);
  });
});

test("a pool of node-postgres needs no configuration", async () => {
  const script = `
    const pool = new (require(${JSON.stringify(createRequire(import.meta.url).resolve("pg"))}).Pool)({ max: 3 });
    const ask = () => pool.query("select pg_sleep(0.1)");
    Promise.all([ask(), ask(), ask()]).then((all) => {
      console.log(all.length, pool.totalCount);
      return pool.end();
    });`;
  const { code, stdout, stderr } = await installation.cli(
    ...["run", "--as", "ci", "--resource", "shop", "--mode", "run", "--", process.execPath, "-e", script],
  );
  expect([code, stdout, stderr]).toEqual([0, "3 3\n", ""]);
});

describe("5. all of it stands in the log", () => {
  test("in order, without a gap, the same over the API and the CLI", async () => {
    const events = await eventually(async () => {
      const found = await eventsOf();
      return found.some(({ type }) => type === "token.revoked") && found;
    });
    expect(events.map(({ index }) => index)).toEqual(events.map((_, n) => n + 1));
    const followed = installation.begin(["events", "--follow", "--json"]);
    await followed.says(new RegExp(`"index":\\s*${events.length}\\b`));
    followed.child.kill("SIGINT");
    await followed.finished;
    const types = new Set(events.map(({ type }) => type));
    for (const type of [
      "session.started",
      "command.started",
      "command.ended",
      "command.refused",
      "command.held",
      "hold.ended",
      "login.refused",
      "session.ended",
    ]) {
      expect(types).toContain(type);
    }
  });

  test("nothing in it is a token's secret or the real credential", async () => {
    const text = JSON.stringify(await eventsOf());
    expect(text).not.toMatch(/foil_[A-Za-z0-9]+_[A-Za-z0-9]{20,}/);
    expect(text).not.toContain("SCRAM-SHA-256$");
  });
});
