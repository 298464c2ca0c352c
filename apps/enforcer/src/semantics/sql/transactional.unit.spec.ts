import { NO_CODE, NOTHING_TOUCHED, type Operation } from "#commands";
import { catalogOf, relation } from "./catalog.fixture.js";
import { isTransactional } from "./transactional.js";

const catalog = catalogOf({
  relations: [
    relation("10", "orders", "r"),
    relation("11", "elsewhere", "f"),
    relation("12", "events", "p"),
    relation("13", "events_old", "f"),
    relation("14", "ruled", "r", true),
    relation("15", "shown", "v"),
  ],
  inheritance: [{ child: "13", parent: "12" }],
});

const operation = (action: string, written: string[] = [], code = {}): Operation => ({
  ...NOTHING_TOUCHED,
  action,
  tablesWritten: written,
  code: { ...NO_CODE, ...code },
});
const is = (...operations: Operation[]) => isTransactional(operations, catalog);

describe("what the end of a transaction takes back", () => {
  test("rows written and read", () => {
    expect(is(operation("sql:update", ["public.orders"]), operation("sql:select"))).toBe(true);
    for (const action of ["sql:insert", "sql:delete", "sql:merge", "sql:copy_in"])
      expect(is(operation(action, ["public.orders"]))).toBe(true);
  });

  test("not what ends it, nor what is not of it", () => {
    for (const action of ["sql:session", "sql:nextval", "sql:lock", "sql:notify", "sql:call", "sql:set", "sql:system"])
      expect(is(operation(action))).toBe(false);
    expect(is(operation("sql:update", ["public.orders"]), operation("sql:function_write"))).toBe(false);
  });

  test("not what runs code that was not read", () => {
    expect(is(operation("sql:insert", ["public.orders"], { triggers: ["public.mails"] }))).toBe(false);
    expect(is(operation("sql:select", [], { unread: ["public.secret"] }))).toBe(false);
  });

  test("not what may be kept elsewhere, or is not known", () => {
    for (const table of ["elsewhere", "events", "events_old", "ruled", "shown", "nowhere"])
      expect(is(operation("sql:insert", [`public.${table}`]))).toBe(false);
  });
});
