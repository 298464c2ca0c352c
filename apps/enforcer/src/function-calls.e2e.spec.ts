import { once } from "node:events";
import type { Socket } from "node:net";
import { approvalV1 } from "#contracts";
import { errorFields, front, taken, type Value } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { EnforcedShop, streamOf } from "./enforced-shop.fixture.js";
import { POLICIES } from "./shop.fixture.js";

/** Functions called by number (manual, "Function Call"): libpq's PQfn, and with it large objects, say nothing in SQL. */

const FUNCTIONS = `
  create function plus(a int, b int) returns int language sql immutable as 'select a + b';
  create function mail_of(customer int) returns text language sql stable as 'select email from customers where id = customer';
  create function forget_all() returns void language sql as 'delete from notes';
  create function unread() returns int language plpgsql stable as $$ begin execute 'select 1'; return 1; end $$;
  create function unread_too() returns int language plpgsql as $$ begin execute 'select 1'; return 1; end $$;
`;

const ASKING = `
  permit (principal, action in [Action::"connect", Action::"sql:select"], resource);
  @approval("dba") permit (principal, action == Action::"sql:function_write", resource);`;

let shop: EnforcedShop;
let socket: Socket;
const oids: Record<string, number> = {};

beforeAll(async () => {
  shop = await EnforcedShop.start({ allowPlaintext: true }, async (world) => {
    await world.direct(FUNCTIONS);
    for (const name of ["plus", "mail_of", "forget_all", "unread", "unread_too"])
      oids[name] = Number((await world.direct(`select '${name}'::regproc::oid as oid`)).rows[0].oid);
  });
});
beforeEach(async () => {
  const client = await shop.connect({ ssl: false });
  // From here on the session is ours.
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  connection.removeAllListeners();
  socket = streamOf(client);
  socket.removeAllListeners("data");
});
afterEach(async () => {
  socket.destroy();
  await shop.settled();
});
afterAll(() => shop?.drop());

/** What is answered to the messages, up to the last one's ReadyForQuery. */
async function answers(...messages: readonly Buffer[]): Promise<{ type: string; body: string }[]> {
  socket.write(Buffer.concat(messages));
  let bytes = Buffer.alloc(0);
  for (;;) {
    bytes = Buffer.concat([bytes, ((await once(socket, "data")) as [Buffer])[0]]);
    try {
      const told = taken(bytes);
      if (told.filter(({ type }) => type === "Z").length === messages.length) return told;
    } catch {
      // Not all of it yet.
    }
  }
}

const call = (name: string, ...values: Value[]) => front.call(oids[name]!, values);
const value = (told: { type: string; body: string }[]) => told.find(({ type }) => type === "V")?.body.slice(4);
const error = (told: { type: string; body: string }[]) => errorFields(told.find(({ type }) => type === "E")!.body);

test("an allowed one is answered and recorded, with what it runs and its arguments", async () => {
  expect(value(await answers(call("plus", "20", "22")))).toBe("42");
  const [started] = await shop.control.recorded("commandStarted");
  const { statement, functions, parameters, ordinal } = started!.command!;
  expect({ statement, functions }).toEqual({
    statement: `function call ${oids.plus}`,
    functions: ["public.plus"],
  });
  expect(parameters.map((parameter) => parameter.value.value)).toEqual(["20", "22"]);
  expect(started!.labelsMasked).toEqual([]);
  expect(await shop.control.recorded("commandEnded")).toMatchObject([{ ordinal, rows: 1n, errorCode: "" }]);
});

test("one that does what is forbidden never leaves, and the session goes on", async () => {
  await shop.direct("insert into notes (body) values ('kept')");
  const told = await answers(call("forget_all"), call("plus", "1", "2"));
  expect(error(told)).toMatchObject({ C: "42501", M: expect.stringContaining("Say which rows.") });
  expect(value(told)).toBe("3");
  expect((await shop.direct("select body from notes")).rows).toEqual([{ body: "kept" }]);
  const [refused] = await shop.control.recorded("commandRefused");
  expect(refused!.command).toMatchObject({
    statement: `function call ${oids.forget_all}`,
    actions: expect.arrayContaining(["sql:delete"]),
    tablesWritten: ["public.notes"],
  });
});

// What type the value is nobody says, so that nothing but NULL is certainly one of it.
test.each([
  ["comes from a labelled column", "mail_of", ["7"]],
  ["could come from anywhere", "unread", []],
])("a result that %s is hidden", async (_what, name, values) => {
  const told = await answers(call(name, ...values));
  expect(told.find(({ type }) => type === "V")!.body).toBe("\xff\xff\xff\xff");
  const [started] = await shop.control.recorded("commandStarted");
  expect(started!.labelsMasked).toEqual(["pii.email"]);
  expect(await shop.control.recorded("commandEnded")).toMatchObject([{ valuesMasked: 1n }]);
});

test("a number that is no function's is taken for one that does anything", async () => {
  expect(error(await answers(front.call(4_000_000_000, [])))).toMatchObject({ C: "42883" });
  const [started] = await shop.control.recorded("commandStarted");
  expect(started!.command!.actions).toContain("sql:function_write");
});

test("in a transaction a denied one fails it, as a failed one would", async () => {
  const told = await answers(front.query("begin"), call("forget_all"), call("plus", "1", "2"), front.query("rollback"));
  expect(told.filter(({ type }) => type === "Z").map(({ body }) => body)).toEqual(["T", "E", "E", "I"]);
  expect(told.filter(({ type }) => type === "E").map(({ body }) => errorFields(body).C)).toEqual(["42501", "25P02"]);
});

test("one that waits for a person shows what it is called", async () => {
  const { control } = shop;
  control.change({ policies: [{ name: "shop", text: ASKING }] });
  const told = answers(call("unread_too"));
  const approval = await control.pending();
  expect(control.approvals.get(approval)!.statement).toBe(
    `function call ${oids.unread_too}\n/* where SELECT "public"."unread_too"() */`,
  );
  control.decide(approval, approvalV1.ApprovalStatus.APPROVED);
  expect((await told).map(({ type }) => type)).toContain("V");
  control.change({ policies: POLICIES });
});
