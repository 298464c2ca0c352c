import pg from "pg";
import { type FreshDatabase, freshDatabase } from "../../../../test/servers/postgres.js";
import { serverContext } from "../catalog.fixture.js";
import type { SqlContext } from "../catalog.js";
import { createUnderstander, type Understander } from "../understander.js";
import type { StatementFacts } from "../understanding.js";

/** Every e-mail address and tag holds it: wherever it turns up, that must have been foreseen. */
export const MARK = "zqx7";
const SCHEMA = `
  create table people (id int primary key, email text, boss int, tags text[]);
  create table orders (id int primary key, person int, note text);
  create table log (what text);
  create type pair as (a text, b text);
  create type mood as enum ('glad', 'sad');
  insert into people select n, '${MARK}mail' || n, 1, array['t', '${MARK}tag'] from generate_series(1, 3) n;
  insert into orders select n, n, 'note' from generate_series(1, 9) n;
  create function peek(int) returns text language sql stable as 'select email from public.people where id = $1';
  create function unread() returns int language plpgsql as $$ begin execute 'select 1'; return 1; end $$;
  create procedure told(who int, out mail text) language plpgsql as $$ begin select email into mail from people where id = who; end $$;
  create schema aside;
  create table aside.log (what text);
  create function shown_mood(mood) returns text language sql as 'select email from public.people limit 1';
`;

export interface Case {
  readonly takes: string;
  readonly code: string;
  /** In place of a SELECT of it with 1 for each argument. */
  readonly call?: string;
  readonly more?: string;
}

/** A real server with people and orders, and what a spec's functions do there. Made at the top of a spec. */
export class People {
  readonly #cases: Case[] = [];
  #database: FreshDatabase | undefined;
  #client: pg.Client | undefined;
  #sql: Understander | undefined;
  #context: SqlContext | undefined;

  constructor() {
    beforeAll(() => this.#open());
    afterAll(() => this.#close());
  }

  get client(): pg.Client {
    return this.#client!;
  }

  /** A function made before all tests, by its number; `NAME` stands for it. */
  made(takes: string, code: string, more: Partial<Case> = {}): number {
    return this.#cases.push({ takes, code, ...more }) - 1;
  }

  callOf(at: number): string {
    const { takes, call = `select * from NAME(${/^\(\s*\)|^\(out/.test(takes) ? "" : "1"})` } = this.#cases[at]!;
    return call.replaceAll("NAME", `made_${at}`);
  }

  async facts(text: string): Promise<StatementFacts> {
    const { statements, problems } = await this.#sql!.understand(text, this.#context!);
    expect(problems).toEqual([]);
    return statements[0]!;
  }

  /** What was made in the schema since is known from here on. */
  async lookAgain(): Promise<void> {
    this.#context = await serverContext(this.client);
  }

  /**
   * Calls all that was made: nothing is shown, stored or changed that was not foreseen.
   * @returns how many of the values given held the mark.
   */
  async foreseen(): Promise<number> {
    const { client } = this;
    const state = async () => {
      const tables = ["public.people", "public.orders", "public.log", "aside.log"];
      const rows = await Promise.all(tables.map((table) => client.query(`select t::text from ${table} t order by 1`)));
      return new Map(tables.map((table, i) => [table, JSON.stringify(rows[i]!.rows)]));
    };
    await client.query("set statement_timeout = '5s'");
    const before = await state();
    const wrong: string[] = [];
    let marked = 0;
    for (const [at, { takes, code }] of this.#cases.entries()) {
      const text = this.callOf(at);
      const { operations, outputs, stores } = await this.facts(text);
      await client.query("begin");
      const result = await client.query({ text, rowMode: "array" }).catch(() => null);
      const after = result ? await state() : before;
      await client.query("rollback");
      const opaque = operations.some(({ action }) => action === "sql:function_write");
      for (const [i, output] of (outputs ?? []).entries()) {
        const shows = result?.rows.some((row: unknown[]) => JSON.stringify(row[i] ?? null).includes(MARK));
        if (shows) marked += 1;
        const traced = output.leaks || output.sources.some(({ table }) => table === "people");
        if (shows && !traced) wrong.push(`shown: ${takes} ${code}`);
      }
      for (const [table, rows] of after) {
        if (rows === before.get(table) || opaque) continue;
        if (!operations.some(({ tablesWritten }) => tablesWritten.includes(table)))
          wrong.push(`changed: ${takes} ${code}`);
        const copied = stores.some(
          ({ target, sources }) => target.startsWith(table) && sources.some((s) => s.table === "people"),
        );
        if (rows.includes(MARK) && !before.get(table)!.includes(MARK) && !copied)
          wrong.push(`stored: ${takes} ${code}`);
      }
    }
    expect(wrong).toEqual([]);
    return marked;
  }

  async #open(): Promise<void> {
    this.#database = await freshDatabase();
    this.#client = new pg.Client({ connectionString: this.#database.url });
    await this.client.connect();
    await this.client.query(SCHEMA);
    const refused: string[] = [];
    for (const [at, { takes, code, more = "" }] of this.#cases.entries()) {
      const name = `made_${at}`;
      const create = takes.startsWith("procedure") ? "procedure" : "function";
      const text = `create ${create} ${name}${takes.replace("procedure", "")} language plpgsql ${more} as $body$ ${code.replaceAll("NAME", name)} $body$`;
      await this.client.query(text).catch((error) => refused.push(`${error.message}: ${text}`));
    }
    expect(refused).toEqual([]);
    await this.lookAgain();
    this.#sql = createUnderstander();
  }

  async #close(): Promise<void> {
    await this.#sql?.close();
    await this.#client?.end();
    await this.#database?.drop();
  }
}

export const actions = ({ operations }: StatementFacts) => operations.map(({ action }) => action.replace("sql:", ""));
export const isUnread = ({ operations }: StatementFacts) =>
  operations.some(({ code }) => code.unread.some((name) => name.includes("made_")));
export const outputsOf = ({ outputs }: StatementFacts) =>
  (outputs ?? []).map(({ sources, leaks }) =>
    leaks ? "anything" : [...new Set(sources.map(({ table, column }) => `${table}.${column}`))].sort().join(" "),
  );
export const usesOf = ({ uses }: StatementFacts) =>
  uses.map(
    ({ action, column, ...use }) =>
      `${action} ${"use" in use ? use.use : use.target} ${column ? `${column.table}.${column.column}` : "*"}`,
  );
