import { type BypassWorld, bypassWorld, SHOWS, WIDE } from "./bypass-world.fixture.js";

/** What one session does to names while another uses them. */

let shop: BypassWorld;
beforeAll(async () => {
  shop = await bypassWorld();
});
afterAll(() => shop?.drop());

test("a name that waits for another session to drop the table nearest by it shows nothing of the one behind", async () => {
  const [one, other, around] = await Promise.all([shop.through(), shop.through(), shop.around()]);
  // By way of the enforcer, which so knows of it when the next command is understood.
  expect((await one.run("create table app.people (id int, ssn text)", "simple")).code).toBe("");
  await one.run("begin", "simple");
  await other.run("set search_path = app, public", "simple");
  await around.run("set search_path = app, public", "simple");
  const waiting = (count: number) => async () => {
    for (;;) {
      const { rows } = await shop.world.direct("select count(*)::int as n from pg_locks where not granted");
      if (rows[0].n >= count) return;
    }
  };
  expect((await one.run("drop table app.people", "simple")).code).toBe("");
  const asked = [other, around].map((by) => by.run("select lower(ssn) from people", "simple"));
  await waiting(2)();
  await one.run("commit", "simple");
  const [through, direct] = await Promise.all(asked);
  expect(SHOWS.test(direct!.bytes)).toBe(true);
  expect(through).toMatchObject({ code: "" });
  expect(SHOWS.test(through!.bytes)).toBe(false);
  await Promise.all([one, other, around].map(({ client }) => client.end()));
});

test("what it might write counts, too", async () => {
  const guarded = `${WIDE.text} forbid (principal, action == Action::"sql:delete", resource)
    when { context.tables_written.contains("public.orders") };`;
  await shop.inForce({ name: "guarded", text: guarded }, "delete from public.orders where id = 1", "42501");
  const one = await shop.through();
  expect((await one.run("create table app.orders (id int, note text)", "simple")).code).toBe("");
  await one.run("set search_path = app, public", "simple");
  const erase = "delete from orders where id = 1";
  expect((await one.run(erase, "simple")).code).toBe("");
  await one.run("begin", "simple");
  expect((await one.run("drop table app.orders", "simple")).code).toBe("");
  expect((await one.run(erase, "simple")).code).toBe("42501");
  await one.run("rollback", "simple");
  expect((await one.run(erase, "simple")).code).toBe("");
  await one.client.end();
});
