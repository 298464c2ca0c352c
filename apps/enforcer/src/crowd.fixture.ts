import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { LabelPart } from "#commands";
import type { edgeV1 } from "#contracts";
import { front } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { EnforcedShop, failure, streamOf } from "./enforced-shop.fixture.js";
import type { TestControl } from "./test-control.fixture.js";

/** Sessions of one enforcer that say the same words and must be told different things. */

export const OTHER = "other";
/** Who sees everything, who sees what is not labelled, and who sees ten rows of that. */
const GROUPS = ["trusted", "ci", "limited"] as const;
const MOST_ROWS = 10;

/** The same names in both databases, with values that tell whose they are. */
const content = (of: string) => `
  create table people (id int primary key, name text, email text unique, bulk text);
  insert into people select n, '${of} name ' || n, '${of}' || n || '@example.com', repeat('${of} ', 200 * n)
    from generate_series(1, 40) n;
  create schema a; create schema b;
  create table a.here (v text); insert into a.here values ('${of} open');
  create table b.here (v text); insert into b.here values ('${of}@example.com');
  create table said (who text, n int);`;

/** In `shop` an address is hidden, in `other` a name; each time by that label's own means. */
const labels = (spelling: string): LabelPart[] => {
  const label = (name: string, value: string, ...columns: [string, string, string, string][]): LabelPart => ({
    name: `${name}.${spelling}`,
    columns: columns.map(([resource, schema, table, column]) => ({ resource, schema, table, column })),
    transform: { kind: "fixed", options: { value } },
  });
  return [
    label("mail", "no mail", ["shop", "public", "people", "email"], ["shop", "b", "here", "v"]),
    label("name", "no name", [OTHER, "public", "people", "name"]),
    label("text", "no text", [OTHER, "public", "people", "bulk"]),
  ];
};

const policies = (round: number) => [
  {
    name: `crowd ${round % 2}`,
    text: `
      permit (principal, action == Action::"connect", resource);
      permit (principal, action in [Action::"sql:read", Action::"sql:write", Action::"sql:call", Action::"sql:ddl"], resource)
      unless { principal in Group::"limited" || principal in Group::"asked" };
      permit (principal in Group::"asked", action in [Action::"sql:read", Action::"sql:call"], resource);
      @approval("dba") permit (principal in Group::"asked", action in Action::"sql:write", resource);
      @max_rows("${MOST_ROWS}") permit (principal in Group::"limited", action in Action::"sql:read", resource);
      permit (principal in Group::"limited", action in [Action::"sql:write", Action::"sql:call", Action::"sql:ddl"], resource);
      permit (principal in Group::"trusted", action == Action::"reveal", resource);`,
  },
];

/** Where a crowd meets: an enforcer before two databases. */
export class CrowdedShop {
  private constructor(
    readonly shop: EnforcedShop,
    private readonly other: FreshDatabase,
  ) {}

  static async start(
    ...[change, begin]: [
      change?: Parameters<typeof EnforcedShop.start>[0],
      begin?: Parameters<typeof EnforcedShop.start>[2],
    ]
  ) {
    const other = await freshDatabase();
    const prepare: Parameters<typeof EnforcedShop.start>[1] = async ({ control, direct }) => {
      await direct(content("shop"));
      const client = new pg.Client({ connectionString: other.url });
      await client.connect();
      await client.query(content("other"));
      await client.end();
      const { resource } = control;
      const upstream = { ...resource.upstream, database: new URL(other.url).pathname.slice(1) };
      const others = [{ ...resource, name: OTHER, upstream }];
      control.change({ policies: policies(0), labels: labels("first"), others });
    };
    const shop = await EnforcedShop.start({ allowPlaintext: true, ...change }, prepare, begin);
    return new CrowdedShop(shop, other);
  }

  /** Another policy that means the same, with labels of other names. */
  rule(round: number): void {
    this.shop.control.change({ policies: policies(round), labels: labels(round % 2 ? "second" : "first") });
  }

  async drop(): Promise<void> {
    await this.shop.drop();
    await this.other.drop();
  }
}

/** What is sent in one piece, and how those end that the server has skipped. */
const PIPED = "select email from people where id = $1";
const NOT_RUN = "57014";

/** Numbers from a seed, below 1. After mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Said {
  readonly text: string;
  readonly error: string;
  readonly rows: number;
  readonly masked: number;
}

/** One session that knows what it must be told, and what must be recorded of it. */
export class Member {
  readonly said: Said[] = [];
  #written = 0;
  #prepared = "";
  /** Its process on the server. */
  #backend = 0;

  private constructor(
    private readonly shop: EnforcedShop,
    readonly name: string,
    readonly group: string,
    readonly resource: string,
    readonly client: pg.Client,
    private readonly random: () => number,
  ) {}

  static async join(shop: EnforcedShop, number: number, seed: number): Promise<Member> {
    const group = GROUPS[number % GROUPS.length]!;
    const resource = number % 2 === 0 ? "shop" : OTHER;
    const name = `member ${number}`;
    const token = shop.control.token({ groups: [group], resource });
    const options = { database: resource, application_name: name, ssl: number % 5 === 0 && { ca: shop.ca } };
    const member = new Member(shop, name, group, resource, await shop.connect(options, token), seeded(seed + number));
    await member.#ask("create temp table mine (v text)", 0);
    await member.#ask(`insert into mine values ('${name}')`, 1);
    const { rows } = await member.#ask("select pg_backend_pid() as pid", 1);
    member.#backend = rows[0].pid;
    return member;
  }

  async act(): Promise<void> {
    const acts = [
      () => this.#person(),
      () => this.#prepares(),
      () => this.#returns(),
      () => this.#own(),
      () => this.#path(),
      () => this.#many(),
      () => this.#transaction(),
      () => this.#collides(),
      () => this.#pipeline(),
      () => this.#copies(),
      () => this.#cancels(),
    ];
    await acts[this.#below(acts.length)]!();
  }

  // ---- what it does ------------------------------------------------------------------------------------------------

  async #person(): Promise<void> {
    const id = this.#id();
    const text = "select id, name, email, bulk from people where id = $1";
    const binary = this.random() < 0.5;
    const { rows } = await this.#ask(text, 1, this.#hiddenOf("name", "email", "bulk"), [id], { binary });
    this.#same(rows, [{ id, ...this.#shown(id, "name", "email", "bulk") }]);
  }

  /** The same name in all sessions, each for a statement of its own. */
  async #prepares(): Promise<void> {
    if (this.#prepared === "" || this.random() < 0.1) {
      if (this.#prepared !== "") await this.#ask("deallocate same", 0);
      const column = ["name", "email", "bulk"][this.#below(3)]!;
      await this.#ask(`prepare same (int) as select ${column} as v from people where id = $1`, 0);
      this.#prepared = column;
    }
    const id = this.#id();
    const { rows } = await this.#ask(`execute same (${id})`, 1, this.#hiddenOf(this.#prepared));
    this.#same(rows, [{ v: this.#shown(id, this.#prepared)[this.#prepared] }]);
  }

  /** It waits for the disk, and the policy may be another when it goes. */
  async #returns(): Promise<void> {
    const id = this.#id();
    const text = "update people set id = id where id = $1 returning name, email";
    const { rows } = await this.#ask(text, 1, this.#hiddenOf("name", "email"), [id]);
    this.#same(rows, [this.#shown(id, "name", "email")]);
  }

  async #own(): Promise<void> {
    const setting = await this.#ask("select current_setting('application_name') as v", 1);
    this.#same(setting.rows, [{ v: this.name }]);
    // What a temporary table holds, nobody knows.
    const hides = this.group !== "trusted";
    const { rows } = await this.#ask("select v from mine", 1, hides ? 1 : 0);
    this.#same(rows, [{ v: !hides ? this.name : this.resource === "shop" ? "no mail" : "[redacted]" }]);
  }

  async #path(): Promise<void> {
    const open = this.random() < 0.5;
    await this.#ask(`set search_path = ${open ? "a" : "b"}`, 0);
    const hides = !open && this.resource === "shop" && this.group !== "trusted";
    const { rows } = await this.#ask("select v from here", 1, hides ? 1 : 0);
    const kept = `${this.resource}${open ? " open" : "@example.com"}`;
    this.#same(rows, [{ v: hides ? "no mail" : kept }]);
    await this.#ask("set search_path = public", 0);
  }

  async #many(): Promise<void> {
    const text = "select id, email from people order by id";
    const over = this.group === "limited";
    const shown = over ? MOST_ROWS : 40;
    if (over) {
      await this.#fails(text, "42501", shown, shown * this.#hiddenOf("email"));
      return;
    }
    const { rows } = await this.#ask(text, shown, shown * this.#hiddenOf("email"));
    this.#same(
      rows,
      Array.from({ length: shown }, (_, n) => ({ id: n + 1, ...this.#shown(n + 1, "email") })),
    );
  }

  async #transaction(): Promise<void> {
    const kept = this.random() < 0.5;
    await this.#ask("begin", 0);
    await this.#ask("insert into said values ($1, $2)", 1, 0, [this.name, ++this.#written]);
    await this.#ask(kept ? "commit" : "rollback", 0);
    if (!kept) this.#written--;
    const { rows } = await this.#ask("select count(*)::int as n from said where who = $1", 1, 0, [this.name]);
    this.#same(rows, [{ n: this.#written }]);
  }

  async #collides(): Promise<void> {
    const id = this.#id();
    const value = `${this.resource}${id}@example.com`;
    const error = await this.#fails(`insert into people (id, email) values (${100 + id}, '${value}')`, "23505");
    const hides = this.group !== "trusted";
    if (hides === JSON.stringify(error).includes(value)) throw new Error(`${this.name}: ${JSON.stringify(error)}`);
  }

  /** Statements in one piece, the last of them behind one that fails, and more Syncs than anybody needs. */
  async #pipeline(): Promise<void> {
    const ids = [this.#id(), this.#id(), this.#id()];
    const syncs = 1 + this.#below(40);
    const text = PIPED;
    const run = (name: string, value: string) => Buffer.concat([front.bind("", name, [value]), front.execute("")]);
    const bytes = Buffer.concat([
      front.parse("piped", text),
      ...ids.map((id) => run("piped", String(id))),
      run("piped", "none"),
      run("piped", "1"),
      ...Array.from({ length: syncs }, () => front.sync()),
      front.close("S", "piped"),
      front.sync(),
    ]);
    const answered = await this.#raw(bytes, syncs + 1);
    const told = answered.filter(({ type }) => type === "D").map(({ body }) => body.slice(6));
    this.#same(
      told,
      ids.map((id) => this.#shown(id, "email").email),
    );
    for (const _ of ids) this.#heard(text, "", 1, this.#hiddenOf("email"));
    // Its intent was there before Bind refused it. What came behind it may have had one, or was skipped before.
    this.#heard(text, "22P02", 0);
  }

  async #copies(): Promise<void> {
    const text = "copy (select id, email from people order by id limit 3) to stdout";
    const answered = await this.#raw(front.query(text), 1);
    const told = answered.filter(({ type }) => type === "d").map(({ body }) => body.trimEnd());
    this.#same(
      told,
      [1, 2, 3].map((id) => `${id}\t${this.#shown(id, "email").email}`),
    );
    this.#heard(text, "", 3, 3 * this.#hiddenOf("email"));
  }

  async #cancels(): Promise<void> {
    const asleep = this.#fails("select pg_sleep(60)", "57014");
    const sleeps = `select 1 from pg_stat_activity where pid = ${this.#backend} and wait_event = 'PgSleep'`;
    while ((await this.shop.direct(sleeps)).rowCount === 0) await sleep(10);
    const key = Buffer.alloc(8);
    key.writeInt32BE((this.client as unknown as { processID: number }).processID, 0);
    key.writeInt32BE((this.client as unknown as { secretKey: number }).secretKey, 4);
    const canceller = await this.shop.socket();
    canceller.resume().write(front.cancelRequest(key));
    await asleep;
  }

  // ---- how it asks -------------------------------------------------------------------------------------------------

  async #ask(text: string, rows: number, masked = 0, values?: unknown[], more = {}): Promise<pg.QueryResult> {
    const answer = await this.client.query({ text, ...(values && { values }), ...more } as pg.QueryConfig);
    this.#heard(text, "", rows, masked);
    return answer;
  }

  async #fails(text: string, code: string, rows = 0, masked = 0): Promise<pg.DatabaseError> {
    const error = await failure(this.client.query(text));
    if (error.code !== code) throw new Error(`${this.name}: ${text}: ${error.code} ${error.message}, not ${code}`);
    this.#heard(text, code, rows, masked);
    return error;
  }

  /** Past the driver. */
  async #raw(bytes: Uint8Array, readies: number): Promise<{ type: string; body: string }[]> {
    const stream = streamOf(this.client);
    const driver = stream.listeners("data") as ((chunk: Buffer) => void)[];
    stream.removeAllListeners("data");
    let held = Buffer.alloc(0);
    const answered: { type: string; body: string }[] = [];
    await new Promise<void>((resolve, reject) => {
      stream.on("close", () => reject(new Error(`${this.name} was cut off`)));
      stream.on("data", (chunk: Buffer) => {
        held = Buffer.concat([held, chunk]);
        for (let size = 0; held.length >= 5 && held.length >= (size = held.readInt32BE(1) + 1); ) {
          answered.push({ type: String.fromCharCode(held[0]!), body: held.toString("latin1", 5, size) });
          held = held.subarray(size);
        }
        if (answered.filter(({ type }) => type === "Z").length === readies) resolve();
      });
      stream.write(bytes);
    });
    stream.removeAllListeners("data");
    for (const listener of driver) stream.on("data", listener);
    return answered;
  }

  // ---- what it must be told ----------------------------------------------------------------------------------------

  #hides(column: string): boolean {
    const hidden = this.resource === "shop" ? ["email"] : ["name", "bulk"];
    return this.group !== "trusted" && hidden.includes(column);
  }

  #hiddenOf(...columns: string[]): number {
    return columns.filter((column) => this.#hides(column)).length;
  }

  #shown(id: number, ...columns: string[]): Record<string, string> {
    const { resource } = this;
    const kept: Record<string, string> = {
      name: `${resource} name ${id}`,
      email: `${resource}${id}@example.com`,
      bulk: `${resource} `.repeat(200 * id),
    };
    const instead: Record<string, string> = { name: "no name", email: "no mail", bulk: "no text" };
    return Object.fromEntries(columns.map((column) => [column, (this.#hides(column) ? instead : kept)[column]!]));
  }

  #heard(text: string, error: string, rows: number, masked = 0): void {
    this.said.push({ text, error, rows, masked });
  }

  #same(told: unknown, expected: unknown): void {
    const [left, right] = [JSON.stringify(told), JSON.stringify(expected)];
    if (left !== right)
      throw new Error(`${this.name} (${this.group}, ${this.resource}) was told ${left}, not ${right}`);
  }

  #id(): number {
    return 1 + this.#below(40);
  }

  #below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
}

/** Bound, and asked anew before it ran, as the policy was another by then. */
const UNRUN = "unrun";

interface Line {
  readonly text: string;
  readonly error: string;
  readonly rows: number;
  readonly masked: number;
}

/** What stands of a member in the records: each command with its end, in the order of the commands. */
export async function recordedOf(control: TestControl, member: Member): Promise<readonly Line[]> {
  const { records } = control;
  const { sessionId, fact } = await control.until(() =>
    records.find(({ fact }) => fact.case === "sessionStarted" && fact.value.clientApplication === member.name),
  );
  await control.until(() =>
    records.some((record) => record.sessionId === sessionId && record.fact.case === "sessionEnded"),
  );
  expect(fact.value).toMatchObject({ resource: member.resource, principal: { groups: [member.group] } });
  const own = records.filter((record) => record.sessionId === sessionId).map((record) => record.fact);
  const lines = new Map<bigint, Line>();
  for (const { case: kind, value } of own) {
    if (kind === "commandStarted") {
      const { ordinal, statement } = (value as edgeV1.CommandStarted).command!;
      expect(Number(ordinal)).toBe(lines.size + 1);
      lines.set(ordinal, { text: statement, error: "unended", rows: 0, masked: 0 });
    } else if (kind === "commandEnded") {
      const { ordinal, rows, valuesMasked, errorCode, tag } = value as edgeV1.CommandEnded;
      const { text, error } = lines.get(ordinal)!;
      expect(error).toBe("unended");
      lines.set(ordinal, {
        text,
        error: errorCode || (tag ? "" : UNRUN),
        rows: Number(rows),
        masked: Number(valuesMasked),
      });
    } else if (kind === "commandRefused")
      throw new Error(`${member.name}: ${JSON.stringify(value, (_k, v) => String(v))}`);
  }
  return [...lines.values()].filter(({ text, error }) => error !== UNRUN && (text !== PIPED || error !== NOT_RUN));
}
