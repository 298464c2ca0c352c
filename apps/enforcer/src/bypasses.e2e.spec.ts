/**
 * Ways around the masks and guardrails, through a whole enforcer and against a real PostgreSQL: what is received is
 * searched byte by byte for labelled values. Each way is first shown to work without the enforcer.
 */
import { readFileSync } from "node:fs";
import pg from "pg";
import { SHOP_SQL } from "../../../libs/sql/src/shop.fixture.js";
import { BYPASSES, PIPELINES } from "./bypasses.fixture.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";

interface Cases {
  guardrails: { sql: string; does?: string[]; unbounded?: boolean; notUnderstood?: boolean }[];
  masking: { sql: string; masked: number[] }[];
  stores: { sql: string; stores: string[] }[];
  ordinary: { sql: string; does: string[] }[];
}
const CASES: Cases = JSON.parse(readFileSync(new URL("../../../libs/sql/bypasses.json", import.meta.url), "utf8"));

/** In every labelled value; as text, upper case, backwards, hexadecimal or base64 it is still found. */
const MARK = "zqx7";
const SHOWS = new RegExp(
  [MARK, [...MARK].reverse().join(""), Buffer.from(MARK).toString("hex"), "enF4N", "pxeD", "6cXg3"].join("|"),
  "i",
);
const DATA = `
  insert into customers select n, 'Name ' || n, '${MARK}mail' || n || '@x.org', '${MARK}tel' || n, '${MARK}card' || n from generate_series(1, 5) n;
  insert into orders select n, n, n, 'note', 'open' from generate_series(1, 5) n;
  insert into payments select n, n, 'card', 1 from generate_series(1, 3) n;
  insert into log (what) values ('x');
  insert into events values (1, '${MARK}event', '2024-05-05');
  insert into people values (1, 'P', '${MARK}ssn');
  insert into employees values (2, 'E', '${MARK}ssn', 10);
  insert into docs values (1, '{"a": 1}', '{t}', '<a/>');
  insert into app.customers values (1, 'plain');
  refresh materialized view contact_list;
  create index on customers (lower(email));
  create unique index on customers (email);
  create table refs (mail text, constraint refs_mail unique (mail) deferrable initially deferred);
  insert into refs select email from customers;
  create table alarms (id int, level int);
  create function tell() returns trigger language plpgsql as $$
    begin raise notice '%', (select email from customers limit 1); return new; end $$;
  create trigger tells before insert or update on alarms for each row execute function tell();
  create function telling(int) returns int language plpgsql stable as $$
    begin raise notice '%', (select email from customers limit 1); return $1; end $$;
  create function mail_of(who int) returns text language sql stable as 'select email from customers where id = who';
  create function last_mail() returns table (who int, mail text) language sql as 'select id, email from customers';
  create table checked (id int check (telling(id) > 0), n int default telling(1));
  analyze;
`;
const labels = [
  ["customers", "email"],
  ["customers", "phone"],
  ["customers", "card"],
  ["events", "email"],
  ["people", "ssn"],
  ["refs", "mail"],
].map(([table, column]) => ({
  name: `pii.${table}.${column}`,
  columns: [{ resource: "shop", schema: "public", table: table!, column: column! }],
  transform: { kind: "redact" as const, options: {} },
}));
const policy = (name: string, ...groups: string[]) => ({
  name,
  text: `permit (principal, action == Action::"connect", resource);
    permit (principal, action in [${groups.map((group) => `Action::"sql:${group}"`).join(", ")}], resource);
    forbid (principal, action in Action::"sql:write", resource) unless { context.bounded };`,
});
const WIDE = policy("wide", "read", "write", "session", "ddl", "call");
const NARROW = policy("narrow", "read", "write", "session");

let world: World;
let enforcer: Enforcer;
beforeAll(async () => {
  world = await createWorld();
  await world.direct(`drop table customers, orders, notes, big cascade; ${SHOP_SQL} ${DATA}`);
  world.control.change({ policies: [WIDE], labels });
  enforcer = await Enforcer.start(await world.config({ allowPlaintext: true }));
}, 120_000);
afterAll(async () => {
  await enforcer?.drain();
  await world?.drop();
});

type Mode = "simple" | "extended" | "binary";

/** A connection whose every received byte is kept. */
class Tapped {
  readonly #received: Buffer[] = [];
  private constructor(readonly client: pg.Client) {}

  static async open(target: pg.ClientConfig): Promise<Tapped> {
    const client = new pg.Client(target);
    client.on("error", () => {});
    await client.connect();
    const tapped = new Tapped(client);
    tapped.stream.on("data", (chunk: Buffer) => tapped.#received.push(chunk));
    return tapped;
  }

  static through(): Promise<Tapped> {
    const { id, secret } = world.control.token();
    const port = enforcer.ports[0]!;
    return Tapped.open({ host: "127.0.0.1", port, user: `foil_${id}`, password: secret, database: "shop" });
  }

  static around(): Promise<Tapped> {
    return Tapped.open({ connectionString: world.control.database.url });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
  get wire(): any {
    return (this.client as unknown as { connection: unknown }).connection;
  }

  get stream(): NodeJS.ReadableStream {
    return this.wire.stream;
  }

  /** Its answer as bytes, whether it failed or not. */
  async run(text: string, mode: Mode): Promise<{ bytes: string; code: string }> {
    this.#received.length = 0;
    const query = mode === "simple" ? { text } : { text, queryMode: "extended", binary: mode === "binary" };
    const code = await this.client.query(query as pg.QueryConfig).then(
      () => "",
      (error: pg.DatabaseError) => error.code ?? String(error),
    );
    return { bytes: Buffer.concat(this.#received).toString("latin1"), code };
  }

  /** In a transaction of its own that leaves nothing behind. */
  async apart(text: string, mode: Mode): Promise<{ bytes: string; code: string }> {
    await this.run("begin", "simple");
    const answer = await this.run(text, mode);
    await this.run("rollback", "simple");
    return answer;
  }

  /** Messages of the protocol in one go, until as many ReadyForQuery came. */
  async pipeline(readies: number, send: (wire: Tapped["wire"]) => void): Promise<string> {
    this.#received.length = 0;
    const { wire } = this;
    for (const event of ["errorMessage", "dataRow", "rowDescription", "commandComplete", "parseComplete"]) {
      wire.removeAllListeners(event);
    }
    wire.removeAllListeners("readyForQuery");
    await new Promise<void>((done) => {
      wire.on("readyForQuery", () => --readies === 0 && done());
      wire.on("end", done);
      send(wire);
    });
    return Buffer.concat(this.#received).toString("latin1");
  }
}

async function each<Case>(cases: readonly Case[], run: (given: Case) => Promise<string | null>): Promise<string[]> {
  const wrong: string[] = [];
  for (const given of cases) {
    const failure = await run(given);
    if (failure !== null) wrong.push(failure);
  }
  return wrong;
}

describe.each<Mode>(["simple", "extended", "binary"])("masks, %s", (mode) => {
  test("no listed way shows a labelled value", async () => {
    const [direct, through] = await Promise.all([Tapped.around(), Tapped.through()]);
    let sharp = 0;
    const wrong = await each(CASES.masking, async ({ sql: listed }) => {
      // Some never end by themselves.
      const sql = listed.startsWith("with recursive") ? `${listed} limit 50` : listed;
      if (SHOWS.test((await direct.apart(sql, mode)).bytes)) sharp++;
      return SHOWS.test((await through.apart(sql, mode)).bytes) ? sql : null;
    });
    await Promise.all([direct.client.end(), through.client.end()]);
    expect(wrong).toEqual([]);
    expect(sharp).toBeGreaterThan(60);
  });
});

describe("no way around", () => {
  let direct: Tapped;
  let through: Tapped;
  beforeAll(async () => {
    [direct, through] = await Promise.all([Tapped.around(), Tapped.through()]);
  });
  afterAll(() => Promise.all([direct, through].map(({ client }) => client.end())));

  async function all(by: Tapped, steps: readonly string[], mode: Mode): Promise<string> {
    let bytes = "";
    for (const step of steps) bytes += (await by.run(step, mode)).bytes;
    await by.run("rollback", "simple");
    await by.run("discard all", "simple");
    return bytes;
  }

  test.each(BYPASSES)("$name", async ({ steps, blunt }) => {
    const shown = await all(direct, steps, "simple");
    if (!blunt) expect(shown).toMatch(SHOWS);
    for (const mode of ["simple", "extended"] as const) expect(await all(through, steps, mode)).not.toMatch(SHOWS);
    expect((await through.run("select 1", "simple")).code).toBe("");
  });
});

test.each(PIPELINES)("no way around on the wire: $name", async ({ before, readies, send, blunt }) => {
  const answers: string[] = [];
  for (const open of [Tapped.around, Tapped.through]) {
    const tapped = await open();
    for (const step of before ?? []) await tapped.run(step, "simple");
    answers.push(await tapped.pipeline(readies, send));
    (tapped.stream as unknown as { destroy(): void }).destroy();
  }
  if (!blunt) expect(answers[0]).toMatch(SHOWS);
  expect(answers[1]).not.toMatch(SHOWS);
});

test("no listed way stores a labelled value where it would be shown", async () => {
  const through = await Tapped.through();
  const wrong = await each(CASES.stores, async ({ sql }) =>
    (await through.apart(sql, "simple")).code === "42501" ? null : sql,
  );
  await through.client.end();
  expect(wrong).toEqual([]);
});

test("what is stored where the same label is passes", async () => {
  const through = await Tapped.through();
  for (const sql of [
    "update customers set email = lower(email) where id = 1",
    "insert into customers (id, name, email) select id + 100, name, email || '2' from customers where id < 3",
    "insert into orders (id, note) values (900, 'x')",
    "create table made (id int); insert into made values (1)",
    "alter table customers add column added int",
    "alter table customers rename column city to town",
  ]) {
    expect(await through.apart(sql, "simple")).toMatchObject({ code: "" });
  }
  await through.client.end();
});

test("guardrails: no listed way runs", async () => {
  const actions = new Set(["select", "show", "explain", "copy_out", "insert", "update", "delete", "merge", "session"]);
  for (const each of ["copy_in", "truncate", "lock", "nextval"]) actions.add(each);
  const refused = CASES.guardrails.filter(
    ({ does = [], unbounded, notUnderstood }) =>
      unbounded || notUnderstood || does.some((action) => !actions.has(action.replace("sql:", ""))),
  );
  expect(refused.length).toBeGreaterThan(150);
  world.control.change({ policies: [NARROW] });
  try {
    let through = await Tapped.through();
    // In force at once, but not before it has arrived.
    while ((await through.run("create table t ()", "simple")).code !== "42501") await world.direct("drop table t");
    const wrong = await each(refused, async ({ sql, notUnderstood }) => {
      const { code } = await through.apart(sql, "simple");
      // A zero byte is not what the protocol says: the session ends.
      if (code === "08P01") through = await Tapped.through();
      // What is not of the grammar is refused in PostgreSQL's own words.
      const misspelt = code === "42601" && notUnderstood;
      return code === "42501" || misspelt || (code === "08P01" && sql.includes("\0")) ? null : `${sql}: ${code}`;
    });
    await through.client.end();
    expect(wrong).toEqual([]);
  } finally {
    world.control.change({ policies: [WIDE] });
  }
});
