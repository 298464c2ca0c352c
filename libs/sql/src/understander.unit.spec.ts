import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { NO_CODE, SQL_ACTIONS } from "#commands";
import { EMPTY_CATALOG } from "./catalog-loader.js";
import { CORPUS } from "./corpus.fixture.js";
import type { NodeKind } from "./parser/ast.js";
import { SHOP, SHOP_CONTEXT } from "./shop.fixture.js";
import { actionOf } from "./statements.js";
import { createUnderstander, type Understander } from "./understander.js";

let sql: Understander;
beforeAll(() => {
  sql = createUnderstander();
});
afterAll(() => sql.close());

const LEAVES = new Set<string>(Object.values(SQL_ACTIONS).flat());
const only = async (text: string, context = SHOP_CONTEXT) => {
  const { statements, problems } = await sql.understand(text, context);
  expect(problems).toEqual([]);
  expect(statements).toHaveLength(1);
  return statements[0]!;
};
const session = async (text: string) => (await only(text)).session;

describe("operations", () => {
  test("a select names what it reads", async () => {
    const { operations } = await only(
      "select c.email, lower(o.note) from customers c join orders o on o.customer_id = c.id",
    );
    expect(operations).toEqual([
      {
        action: "sql:select",
        tablesRead: ["public.customers", "public.orders"],
        tablesWritten: [],
        columnsRead: [
          "public.orders.customer_id",
          "public.customers.id",
          "public.customers.email",
          "public.orders.note",
        ],
        columnsWritten: [],
        functions: ["pg_catalog.lower"],
        code: NO_CODE,
        rowLimit: null,
        bounded: true,
      },
    ]);
  });
  test("a write names what it writes, and its reading of other tables is a select besides", async () => {
    const { operations } = await only(
      "update orders set note = c.name from customers c where c.id = orders.customer_id",
    );
    expect(operations).toMatchObject([
      { action: "sql:update", tablesWritten: ["public.orders"], columnsWritten: ["public.orders.note"], bounded: true },
      { action: "sql:select", tablesRead: ["public.customers"], tablesWritten: [] },
    ]);
  });
  test("an insert without a column list writes the columns it gives values for", async () => {
    const { operations } = await only("insert into log values (1, 'x')");
    expect(operations).toMatchObject([{ action: "sql:insert", columnsWritten: ["public.log.id", "public.log.what"] }]);
  });
  test("a view is read, and so is what it is made of", async () => {
    const { operations } = await only("select 1 from big_orders");
    expect(operations[0]?.tablesRead).toEqual([
      "public.big_orders",
      "public.orders",
      "public.contacts",
      "public.customers",
    ]);
  });
  test("a partition is read with its parent, and the reverse", async () => {
    expect((await only("select 1 from events")).operations[0]?.tablesRead).toContain("public.events_2024");
    expect((await only("select 1 from events_2024")).operations[0]?.tablesRead).toContain("public.events");
  });
  test("writing through a view writes its tables", async () => {
    const { operations } = await only("delete from contacts where id = 1");
    expect(operations[0]).toMatchObject({ tablesWritten: ["public.contacts", "public.customers"], bounded: true });
  });
  test("each statement of a text counts", async () => {
    const { statements, operations } = await sql.understand("begin; delete from log; commit", SHOP_CONTEXT);
    expect(statements.map((s) => s.kind)).toEqual(["TransactionStmt", "DeleteStmt", "TransactionStmt"]);
    expect(operations.map((o) => [o.action, o.bounded])).toEqual([
      ["sql:session", true],
      ["sql:delete", false],
      ["sql:session", true],
    ]);
  });
  test("locks name the tables they lock", async () => {
    const { operations } = await only("select 1 from customers c, orders o for update of o");
    expect(operations).toMatchObject([{ action: "sql:select" }, { action: "sql:lock", tablesRead: ["public.orders"] }]);
  });
});

describe("names", () => {
  test("are searched along the path", async () => {
    const context = { catalog: SHOP, searchPath: ["app", "public"] };
    expect((await only("select * from customers", context)).operations[0]?.tablesRead).toEqual(["app.customers"]);
    expect((await only("select * from orders", context)).operations[0]?.tablesRead).toEqual(["public.orders"]);
  });
  test("of temporary tables hide others", async () => {
    const { operations, outputs } = await only("select email from customers", {
      ...SHOP_CONTEXT,
      temporary: ["customers"],
    });
    // It may be gone again (ON COMMIT DROP, DISCARD TEMP), so the one behind it is meant too.
    expect(operations[0]?.tablesRead).toEqual(["pg_temp.customers", "public.customers"]);
    expect(outputs).toMatchObject([{ sources: [{ schema: "pg_temp", table: "customers", column: "*" }], leaks: true }]);
  });
  test("are not known behind the end of a transaction that has changed them", async () => {
    for (const end of ["rollback", "commit", "rollback to s"]) {
      const text = `begin; savepoint s; set search_path = app; ${end}; delete from customers where id = 1`;
      const { problems } = await sql.understand(text, SHOP_CONTEXT);
      expect(problems).toEqual([expect.stringContaining("in a command of its own")]);
    }
    const spelled = "begin; set search_path = app; rollback; delete from public.customers where id = 1; begin; commit";
    expect((await sql.understand(spelled, SHOP_CONTEXT)).problems).toEqual([]);
  });
  test("of the system come first unless the path says otherwise", async () => {
    expect((await only("select 1 from pg_class")).operations[0]?.tablesRead).toEqual(["pg_catalog.pg_class"]);
  });
  test("that nobody knows are said, and could be anything", async () => {
    const found = await sql.understand("select a, f(b) from nowhere.t", SHOP_CONTEXT);
    expect(found.unknownNames).toEqual(["nowhere.t", "f()"]);
    expect(found.statements[0]?.outputs).toMatchObject([
      { name: "a", sources: [{ schema: "nowhere", table: "t", column: "*" }], leaks: true },
      { name: "f", leaks: true },
    ]);
  });
});

describe("effects on the session", () => {
  test.each([
    ["prepare p (int, text) as select /* as */ $1", { kind: "prepares", name: "p", text: "select /* as */ $1" }],
    [
      "prepare p as select 1 where 2 in (3, 4) and array[5] = any (array[6, 7])",
      { kind: "prepares", name: "p", text: "select 1 where 2 in (3, 4) and array[5] = any (array[6, 7])" },
    ],
    ['prepare "as" as\n  delete from log -- as', { kind: "prepares", name: "as", text: "delete from log -- as" }],
    ["execute p(1)", { kind: "executes", name: "p" }],
    ["explain analyze execute p(1)", { kind: "executes", name: "p" }],
    ["create table t as execute p", { kind: "executes", name: "p" }],
    ["deallocate p", { kind: "deallocates", name: "p" }],
    ["deallocate all", { kind: "deallocates", name: null }],
    ["fetch 3 from c", { kind: "fetches", cursor: "c", gives: true }],
    ["close c", { kind: "closes", cursor: "c" }],
    ["close all", { kind: "closes", cursor: null }],
    ['set search_path to a, "B"', { kind: "searchPath", path: ["a", "B"], local: false }],
    ["set local search_path to default", { kind: "searchPath", path: null, local: true }],
    ["select set_config('search_path', 'a, \"B b\"', true)", { kind: "searchPath", path: ["a", "B b"], local: true }],
    ["reset all", { kind: "searchPath", path: null, local: false }],
    ["create temp table x (a int)", { kind: "createsTemporary", name: "x" }],
    ["select 1 as a into temp x", { kind: "createsTemporary", name: "x" }],
    ["alter table customers add z int", { kind: "changesCatalog", displaces: [] }],
    ["alter table customers drop city", { kind: "changesCatalog", displaces: ["customers"] }],
    ["alter table app.customers rename to c2", { kind: "changesCatalog", displaces: ["customers", "c2"] }],
    ["drop table app.customers, orders", { kind: "changesCatalog", displaces: ["customers", "orders"] }],
    ["drop table orders cascade", { kind: "changesCatalog", displaces: ["*"] }],
    ["drop index i", { kind: "changesCatalog", displaces: [] }],
    ["drop function f", { kind: "changesCatalog", displaces: ["*"] }],
    ["grant usage on schema app to public", { kind: "changesCatalog", displaces: ["*"] }],
    ["discard all", { kind: "discards" }],
  ])("%s", async (text, effect) => expect(await session(text)).toContainEqual(effect));

  test("a prepared statement does nothing yet", async () => {
    const { operations, stores } = await only("prepare p as with d as (delete from log returning *) select * from d");
    expect(operations.map((o) => o.action)).toEqual(["sql:session"]);
    expect(stores).toEqual([]);
  });
  test("a cursor's query is read when it is declared, and its columns are known", async () => {
    const {
      operations,
      session: effects,
      outputs,
    } = await only("declare c cursor for select email as x from customers");
    expect(operations.map((o) => o.action)).toEqual(["sql:session", "sql:select"]);
    expect(outputs).toBeNull();
    expect(effects).toMatchObject([{ kind: "declares", cursor: "c", outputs: [{ name: "x", direct: true }] }]);
  });
});

describe("COPY", () => {
  test("sends the columns it names, generated ones only if named", async () => {
    expect((await only("copy docs to stdout")).bulk?.map((c) => c.name)).toEqual(["id", "body", "tags", "x"]);
    expect((await only("copy docs (twice) to stdout")).bulk?.map((c) => c.name)).toEqual(["twice"]);
  });
  test.each([
    ["copy docs to stdout", { kind: "text", header: false }],
    ["copy docs to stdout csv header", { kind: "csv", header: true }],
    [
      "copy docs to stdout (format csv, header false, delimiter ';', null 'N', quote '''', escape '!')",
      {
        kind: "csv",
        header: false,
        delimiter: ";",
        null: "N",
        quote: "'",
        escape: "!",
      },
    ],
    ["copy docs to stdout with binary", { kind: "binary", header: false }],
  ])("%s", async (text, format) => expect((await only(text)).bulkFormat).toEqual(format));
  test("in another encoding can't be masked", async () => {
    const { problems } = await sql.understand("copy docs to stdout (encoding 'latin1')", SHOP_CONTEXT);
    expect(problems).toEqual(["COPY TO in an encoding other than UTF8"]);
  });
});

test("a setting whose name is not known could be any, unless its value says what it is for", async () => {
  const sets = (value: string) => `select set_config(name, ${value}, false) from orders`;
  const { uses, session } = await only(sets("'view, foreign-table'"));
  expect(uses.filter((use) => use.action === "order")).toEqual([]);
  expect(session).toContainEqual({ kind: "unsettles" });
  for (const value of ["'off'", "'SJIS'", "$1", "note"])
    expect((await sql.understand(sets(value), SHOP_CONTEXT)).problems).toEqual([
      "which setting it sets cannot be told: name it in the text",
    ]);
});

test("a setting whose value is not known could choose plans, unless its name says that it does not", async () => {
  const sets = async (name: string) =>
    (await only(`select set_config(${name}, $1, false)`)).uses.filter((use) => use.action === "order");
  expect(await sets("'JIT'")).toEqual([]);
  for (const name of ["'enable_seqscan'", "'sort_mem'"])
    expect(await sets(name)).toContainEqual(expect.objectContaining({ use: "plan", column: null }));
});

test("a COPY asks nothing of the rows that come in, and of others what its WHERE asks", async () => {
  const copy = (condition: string) => only(`copy customers (id, email) from stdin where ${condition}`);
  expect((await copy("email like 'a%'")).uses).toEqual([]);
  expect((await copy("secret(1) like 'a%'")).uses).toContainEqual(
    expect.objectContaining({ by: "LIKE", column: expect.objectContaining({ column: "email" }) }),
  );
});

test("what joins texts has no truth, so an operator of its name that has one asks something", async () => {
  const { uses } = await only("select 1 from customers where email || $1");
  expect(uses).toMatchObject([{ action: "filter", use: "other", column: { column: "email" } }]);
  expect((await only("select email || '!' from customers")).uses).toEqual([]);
});

test("JSON_ARRAYAGG orders the rows of every aggregate beside it", async () => {
  const orders = [
    "json_arrayagg(c.name order by c.email), array_agg(c.id)",
    "json_arrayagg(1) over (order by c.email)",
  ];
  for (const outputs of orders) {
    const { uses } = await only(`select ${outputs} from customers c`);
    expect(uses).toMatchObject([{ action: "order", use: "sort", column: { column: "email" } }]);
  }
});

test("EXPLAIN keeps the reads and drops the deeds", async () => {
  const plain = await only("explain with d as (delete from orders returning *) select * from d, customers");
  expect(plain.operations).toHaveLength(1);
  expect(plain.operations[0]).toMatchObject({ action: "sql:explain", tablesWritten: [] });
  expect(plain.operations[0]?.tablesRead).toEqual(expect.arrayContaining(["public.orders", "public.customers"]));
  expect((await only("explain select * from secret(1)")).outputs?.[0]?.leaks).toBe(true);
  expect((await only("explain select lower(email) from customers")).outputs?.[0]?.leaks).toBe(false);
});

describe("a call by number", () => {
  const oid = (name: string) => SHOP.functions("pg_catalog", name)[0]?.oid ?? SHOP.functions("public", name)[0]!.oid;
  test.each([
    ["lower", ["sql:select"], false],
    ["pg_read_file", ["sql:select", "sql:system"], true],
    ["touch", ["sql:select", "sql:function_write"], true],
  ])("%s", async (name, actions, leaks) => {
    const { operations, statements } = await sql.functionCall(oid(name), SHOP_CONTEXT);
    expect(operations.map((o) => o.action)).toEqual(actions);
    expect(statements[0]?.outputs?.[0]?.leaks).toBe(leaks);
  });
  test("does what its body does, and gives what that gives", async () => {
    const { operations, statements } = await sql.functionCall(oid("secret"), SHOP_CONTEXT);
    const [, body] = operations;
    expect(body).toMatchObject({ action: "sql:select", tablesRead: ["public.customers"] });
    expect(statements[0]?.outputs?.[0]?.sources).toContainEqual({
      schema: "public",
      table: "customers",
      column: "email",
    });
  });
  test("nobody knows", async () => {
    const { operations, unknownNames } = await sql.functionCall(1, SHOP_CONTEXT);
    expect(operations.map((o) => o.action)).toEqual(["sql:select", "sql:function_write"]);
    expect(unknownNames).toEqual(["function 1()"]);
  });
});

describe("what is known already", () => {
  test("is answered at once, in its own context only", async () => {
    const text = "select id from customers /* seen */";
    expect(sql.lookup(text, SHOP_CONTEXT)).toBeUndefined();
    const understood = await sql.understand(text, SHOP_CONTEXT);
    expect(sql.lookup(text, SHOP_CONTEXT)).toBe(understood);
    expect(sql.lookup(text, { ...SHOP_CONTEXT, searchPath: ["app"] })).toBeUndefined();
    expect(sql.lookup(text, { ...SHOP_CONTEXT, temporary: ["customers"] })).toBeUndefined();
    expect(sql.lookup(text, { ...SHOP_CONTEXT, catalog: EMPTY_CATALOG })).toBeUndefined();
  });
  test("what is asked for again and again outlives what comes once", async () => {
    const small = createUnderstander({ cacheBytes: 12_000 });
    try {
      for (let i = 0; i < 50; i++) {
        await small.understand("select 1", SHOP_CONTEXT);
        await small.understand(`select ${i + 2}`, SHOP_CONTEXT);
        expect(small.lookup("select 1", SHOP_CONTEXT)).toBeDefined();
      }
      expect(small.lookup("select 2", SHOP_CONTEXT)).toBeUndefined();
    } finally {
      await small.close();
    }
  });
  test("is bounded", async () => {
    const small = createUnderstander({ cacheBytes: 2_000 });
    try {
      for (const text of ["select 1", "select 2", "select 3"]) await small.understand(text, SHOP_CONTEXT);
      expect(small.lookup("select 1", SHOP_CONTEXT)).toBeUndefined();
      expect(small.lookup("select 3", SHOP_CONTEXT)).toBeDefined();
    } finally {
      await small.close();
    }
  });
});

describe("what the server would refuse too", () => {
  test.each([
    ["selct 1", 'syntax error at or near "selct"', 1],
    ["select 'üü' +;", 'syntax error at or near ";"', 14],
    ["create table t (", "syntax error at end of input", 17],
  ])("%s", async (text, message, position) => {
    const { problems, error } = await sql.understand(text, SHOP_CONTEXT);
    expect({ problems, error }).toEqual({ problems: [message], error: { code: "42601", message, position } });
  });
  test("not what only the enforcer refuses", async () => {
    expect((await sql.understand(`select ${" ".repeat(1024 * 1024)}`, SHOP_CONTEXT)).error).toBeUndefined();
  });
});

describe("limits", () => {
  test("a text too long is not understood", async () => {
    const { problems } = await sql.understand(`select ${" ".repeat(1024 * 1024)}`, SHOP_CONTEXT);
    expect(problems).toEqual(["it is longer than 1048576 characters"]);
  });
  test("the deepest text the parser lets through is analysed", async () => {
    const { problems, statements } = await sql.understand(`select ${"1+".repeat(300)}1`, SHOP_CONTEXT);
    expect(problems).toEqual([]);
    expect(statements[0]?.outputs).toHaveLength(1);
  });
  test("hundreds of UNIONs are analysed", async () => {
    const text = `select email from customers ${"union all select phone from customers ".repeat(300)}`;
    const { problems, statements } = await sql.understand(text, SHOP_CONTEXT);
    expect(problems).toEqual([]);
    expect(statements[0]?.outputs?.[0]?.sources).toHaveLength(2);
  });
  test("what multiplies is given up", async () => {
    const levels = Array.from({ length: 30 }, (_, i) => `c${i + 1} as (select a.x from c${i} a, c${i} b)`).join(", ");
    const flat = await sql.understand(`with c0 as (select 1 as x), ${levels} select * from c30`, SHOP_CONTEXT);
    expect(flat.problems).toEqual([]);
    let nested = "select 1 as x union select 1 from r";
    for (let i = 0; i < 25; i++) nested = `with recursive r as (${nested}) select x from r union select 1 from r`;
    const deep = await sql.understand(nested, SHOP_CONTEXT);
    expect(deep.problems.length + deep.statements.length).toBe(1);
  });
});

describe("every kind of statement", () => {
  // Kinds of the parser that never stand alone, or that only its later stages make.
  const NEVER_ALONE = ["RawStmt", "SetOperationStmt", "ReturnStmt", "PLAssignStmt", "ReplicaIdentityStmt"];
  const declarations = createRequire(import.meta.url)
    .resolve("libpg-query")
    .replace(/libpg-query.*/, "@pgsql/types/types.d.ts");
  const kinds = [...readFileSync(declarations, "utf8").matchAll(/^ {4}(\w+Stmt): \w+;$/gm)].map(([, kind]) => kind!);

  test("is known", () => {
    expect(kinds.length).toBeGreaterThan(110);
    const action = (kind: string) => {
      try {
        return actionOf({ [kind]: {} } as never);
      } catch {
        return undefined;
      }
    };
    const unknown = kinds.filter((kind) => !LEAVES.has(action(kind as NodeKind) ?? ""));
    expect(unknown.sort()).toEqual([...NEVER_ALONE].sort());
  });
});

describe("any statement", () => {
  const pieces = CORPUS.flatMap((text) => text.split(/\b/));
  const spliced = fc
    .tuple(fc.constantFrom(...CORPUS), fc.array(fc.tuple(fc.nat(), fc.constantFrom(...pieces)), { maxLength: 4 }))
    .map(([text, edits]) => {
      const words = text.split(/\b/);
      for (const [at, piece] of edits) words[at % words.length] = piece;
      return words.join("");
    });
  test("is understood or is not, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(spliced, async (text) => {
        const { statements, operations, problems } = await sql.understand(text, SHOP_CONTEXT);
        expect(operations.every((operation) => LEAVES.has(operation.action))).toBe(true);
        expect(problems.length + statements.length).toBeGreaterThan(text.trim() === "" ? -1 : 0);
      }),
      { numRuns: 1_000 },
    );
  });
  test("reads the same whatever stands around it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CORPUS),
        fc.constantFrom("  ", "\n\t", "/* x */", "-- y\n"),
        async (text, pad) => {
          const plain = await sql.understand(text, SHOP_CONTEXT);
          const padded = await sql.understand(`${pad}${text}${pad}\n;`, SHOP_CONTEXT);
          expect(padded.operations).toEqual(plain.operations);
          expect(padded.statements.map((s) => s.outputs)).toEqual(plain.statements.map((s) => s.outputs));
          expect(padded.fingerprint).toBe(plain.fingerprint);
        },
      ),
      { numRuns: 100 },
    );
  });
});
