import { approvalV1 } from "#contracts";
import { EnforcedShop } from "./enforced-shop.fixture.js";

/** What is declared behind an approved command and changed while a person thinks: what was approved is no more. */

const { ApprovalStatus } = approvalV1;

const ASKED = `
  permit (principal, action == Action::"connect", resource);
  permit (principal, action in [Action::"sql:truncate", Action::"sql:lock"], resource);
  @approval("dba") permit (principal, action in [Action::"sql:read", Action::"sql:insert", Action::"sql:function_write"], resource);`;

const DECLARED = `
  create table parts (id int, n int default 1, twice int generated always as (n * 2) stored, tag text, check (n < 100));
  create table kept (what text);
  create table bought () inherits (parts);
  create table years (id int, y int) partition by range (y);
  create table year_one partition of years for values from (1) to (2);
  create domain tag as text check (value <> 'x');
  create table tagged (id int, t tag);
  create function filled() returns trigger language plpgsql as $$ begin new.tag := 'a'; return new; end $$;
  create trigger fills before insert on parts for each row when (new.n > 5) execute function filled();
  create view seen as select id, name from customers;
`;

let shop: EnforcedShop;
beforeAll(async () => {
  shop = await EnforcedShop.start({}, async (world) => {
    await world.direct(DECLARED);
    world.control.change({ policies: [{ name: "asked", text: ASKED }] });
  });
});
afterEach(() => shop.settled());
afterAll(() => shop?.drop());

const insert = "insert into parts (id) values (1)";
const read = "select n from parts";

/** Null where it ran, else why not. */
async function approvedBehind(text: string, change: string): Promise<string | null> {
  const client = await shop.connect();
  const running = client.query(text).then(
    () => null,
    (error) => `${error.code} ${error.message}`,
  );
  const id = await Promise.race([
    shop.control.pending(),
    running.then((why) => Promise.reject(new Error(`not held: ${why}`))),
  ]);
  await shop.direct(change);
  shop.control.decide(id, ApprovalStatus.APPROVED);
  const outcome = await running;
  await client.end();
  return outcome;
}

test.each([
  [insert, "a default", "alter table parts alter n set default 2"],
  [insert, "a generated column", "alter table parts drop twice, add twice int generated always as (n * 3) stored"],
  [insert, "a check", "alter table parts add check (n <> 7)"],
  [
    insert,
    "a check's expression",
    "alter table parts drop constraint parts_n_check, add constraint parts_n_check check (n < 50)",
  ],
  [insert, "a rule", "create rule also as on insert to parts do also insert into kept values ('x')"],
  [
    insert,
    "a rule's action",
    "create or replace rule also as on insert to parts do also insert into kept values ('y')",
  ],
  [insert, "an index on an expression", "create unique index expressed on parts ((n / 2))"],
  [
    insert,
    "a trigger's condition",
    "drop trigger fills on parts; create trigger fills before insert on parts for each row when (new.n > 0) execute function filled()",
  ],
  [
    insert,
    "a trigger's function",
    "create or replace function filled() returns trigger language plpgsql as $$ begin new.tag := 'b'; return new; end $$",
  ],
  [insert, "a function that one may call", "create function called() returns int language sql as 'select 1'"],
  [insert, "a column's type", "alter table parts alter tag type varchar(10)"],
  [insert, "a foreign key", "alter table parts add foreign key (id) references customers"],
  [read, "a policy on rows", "alter table parts enable row level security; create policy own on parts using (n > 3)"],
  [read, "what a policy lets see", "alter policy own on parts using (true)"],
  [insert, "what a policy lets write", "alter policy own on parts with check (n > 0)"],
  [read, "whether policies count", "alter table parts disable row level security"],
  [read, "a child", "create table bought_too () inherits (parts)"],
  [read, "a child that leaves", "alter table bought no inherit parts"],
  ["select y from years", "a partition", "create table year_two partition of years for values from (2) to (3)"],
  ["select y from years", "a partition that leaves", "alter table years detach partition year_one"],
  ["insert into tagged values (1, 'a')", "a domain's check", "alter domain tag add check (value <> 'y')"],
])("%s: %s", async (text, _, change) => {
  expect(await approvedBehind(text, change)).toMatch(/^42501 .*while it waited/);
});

test.each([[insert, "what has nothing to do with it", "alter table kept alter what set default 'z'; analyze parts"]])(
  "%s runs in spite of %s",
  async (text, _, change) => {
    expect(await approvedBehind(text, change)).toBeNull();
  },
);

test.each(["truncate customers cascade", "lock table customers"])(
  "in a transaction that holds locks: %s",
  async (holds) => {
    const client = await shop.connect();
    await client.query("begin");
    await client.query(holds);
    const running = client.query("select name from seen");
    shop.control.decide(await shop.control.pending(), ApprovalStatus.APPROVED);
    expect((await running).command).toBe("SELECT");
    await client.query("rollback");
  },
);
