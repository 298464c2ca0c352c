import fc from "fast-check";

/**
 * Statements over the marked shop that nobody would write, most of which the server takes. Each choice is asked of
 * `pick`, and its simplest answer is 0: so a statement that shows something can be made smaller.
 */

/** A number from 0 up to and without `below`. */
type Pick = (below: number) => number;
type Type = "int" | "text" | "bool" | "json";
interface Column {
  readonly sql: string;
  readonly type: Type;
}
interface Source {
  readonly alias: string;
  /** Whether its whole row can be named. */
  readonly row: boolean;
  readonly columns: readonly Column[];
}
interface From {
  readonly sql: string;
  readonly source: Source;
}
/** What a query selects, so that another can select from it. */
interface Query {
  readonly sql: string;
  readonly types: readonly Type[];
}

const TABLES: Readonly<Record<string, Readonly<Record<string, Type>>>> = {
  customers: { id: "int", email: "text", name: "text", phone: "text", card: "text", city: "text" },
  orders: { id: "int", note: "text", customer_id: "int", status: "text" },
  contacts: { id: "int", mail: "text", name: "text", folded: "text" },
  big_orders: { id: "int", mail: "text", note: "text" },
  contact_list: { email: "text", name: "text" },
  events: { id: "int", email: "text" },
  events_2024: { id: "int", email: "text" },
  people: { id: "int", ssn: "text", name: "text" },
  employees: { id: "int", ssn: "text", name: "text" },
  "app.customers": { id: "int", email: "text" },
};
const MOST_DEPTH = 4;

class Writer {
  #names = 0;
  readonly #ctes: { readonly name: string; readonly types: readonly Type[] }[] = [];

  constructor(private readonly pick: Pick) {}

  #one<T>(of: readonly T[]): T {
    return of[this.pick(of.length)] as T;
  }
  #alias = () => `a${++this.#names}`;
  #some = (most: number) => Array.from({ length: 1 + this.pick(most) });

  statement(): string {
    const kinds = [
      () => this.#whole(),
      () => this.#whole(),
      () => this.#whole(),
      () => `copy (${this.#whole()}) to stdout${this.#one(["", " (format csv, header)", " (format binary)"])}`,
      () => `begin; declare c cursor for ${this.#whole()}; fetch all from c; rollback`,
      () => `explain (${this.#one(["costs off", "verbose", "analyze, timing off"])}) ${this.#whole()}`,
      () => `deallocate all; prepare p as ${this.#whole()}; execute p`,
      () => this.#write("returning"),
      () => this.#write("returning"),
      () => `create temp view shown as ${this.#named(this.#query(1))}; select * from shown; drop view shown`,
      () => `create temp table kept as ${this.#named(this.#query(1))}; select * from kept; drop table kept`,
    ];
    return this.#one(kinds)();
  }

  query(): string {
    return this.#one([() => this.#whole(), () => this.#whole(), () => this.#write("returning")])();
  }

  /** A query with whatever goes before and behind it. */
  #whole(): string {
    const withs: string[] = [];
    if (this.pick(4) > 2) {
      for (const _ of this.#some(2)) {
        const name = this.#alias();
        const writes = this.pick(6) === 5;
        const query = writes
          ? { sql: this.#write("returning id, name"), types: ["int", "text"] as Type[] }
          : this.#query(1);
        const columns = query.types.map((_, i) => `c${i + 1}`).join(", ");
        withs.push(`${name}(${columns}) as ${this.#one(["", "materialized "])}(${query.sql})`);
        this.#ctes.push({ name, types: query.types });
      }
    }
    const { sql } = this.#query(0);
    return `${withs.length > 0 ? `with ${withs.join(", ")} ` : ""}${sql}`;
  }

  #query(depth: number): Query {
    const plain = this.#select(depth);
    if (depth >= MOST_DEPTH || this.pick(6) < 5) return plain;
    const other = this.#selectOf(plain.types, depth + 1);
    const operator = this.#one(["union all", "union", "intersect", "except"]);
    return { sql: `(${plain.sql}) ${operator} (${other})`, types: plain.types };
  }

  #select(depth: number): Query {
    const from = this.#from(depth);
    const types = this.#some(3).map(() => this.#one<Type>(["text", "int", "text", "json", "bool", "text"]));
    return { sql: this.#selectFrom(from, types, depth), types };
  }

  #selectOf(types: readonly Type[], depth: number): string {
    return this.#selectFrom(this.#from(depth), types, depth);
  }

  #selectFrom({ sql, sources }: { sql: string; sources: readonly Source[] }, types: readonly Type[], depth: number) {
    const grouped = this.pick(5) === 4;
    const item = (type: Type) =>
      grouped
        ? this.#aggregate(type, sources, depth)
        : this.pick(12) === 11
          ? this.#window(type, sources, depth)
          : this.#expression(type, sources, depth);
    const list = types.map(item);
    const where = this.pick(3) === 2 ? ` where ${this.#expression("bool", sources, depth + 1)}` : "";
    const having = grouped && this.pick(3) === 2 ? ` having ${this.#aggregate("bool", sources, depth + 1)}` : "";
    const order = !grouped && this.pick(4) === 3 ? ` order by ${this.#expression("text", sources, depth + 1)}` : "";
    const distinct =
      !order && !grouped && types.every((type) => type !== "json") && this.pick(6) === 5 ? "distinct " : "";
    const limit = this.pick(4) === 3 ? ` limit ${1 + this.pick(5)}` : "";
    return `select ${distinct}${list.join(", ")} from ${sql}${where}${having}${order}${limit}`;
  }

  /** Only a select list may hold one. */
  #window(type: Type, sources: readonly Source[], depth: number): string {
    const [by, of] = [this.#expression("text", sources, depth + 2), this.#expression("text", sources, depth + 2)];
    const over = `over (${this.#one(["", `partition by ${by} `])}order by ${by})`;
    const text = this.#one(["longest", "lag", "first_value", "max"]);
    const windows: Readonly<Record<Type, string>> = {
      text: `${text}(${of}) ${over}`,
      int: `(rank() ${over})::int`,
      bool: `max(${of}) ${over} > 'm'`,
      json: `jsonb_agg(${of}) ${over}`,
    };
    return windows[type];
  }

  #named({ sql, types }: Query): string {
    return `select * from (${sql}) n(${types.map((_, i) => `c${i + 1}`).join(", ")})`;
  }

  // ---- FROM --------------------------------------------------------------------------------------------------------

  #from(depth: number): { sql: string; sources: readonly Source[] } {
    const first = this.#source(depth, []);
    if (this.pick(3) < 2) return { sql: first.sql, sources: [first.source] };
    const second = this.#source(depth + 1, [first.source]);
    const sources = [first.source, second.source];
    const join = this.#one([
      () => `${first.sql}, ${second.sql}`,
      () => `${first.sql} cross join ${second.sql}`,
      () => `${first.sql} join ${second.sql} on ${this.#expression("bool", sources, depth + 2)}`,
      () => `${first.sql} left join ${second.sql} on ${this.#expression("bool", sources, depth + 2)}`,
    ])();
    return { sql: join, sources };
  }

  #source(depth: number, before: readonly Source[]): From {
    const alias = this.#alias();
    const kinds = [() => this.#table(alias), () => this.#table(alias)];
    if (this.#ctes.length > 0) kinds.push(() => this.#cte(alias));
    if (depth < MOST_DEPTH)
      kinds.push(
        () => this.#subquery(alias, depth, before),
        () => this.#values(alias, depth, before),
      );
    if (before.length > 0) kinds.push(() => this.#lateral(alias, depth, before));
    return this.#one(kinds)();
  }

  #table(alias: string): From {
    const table = this.#one(Object.keys(TABLES));
    const columns = Object.entries(TABLES[table] ?? {}).map(([name, type]) => ({ sql: `${alias}.${name}`, type }));
    return { sql: `${table} ${alias}`, source: { alias, row: true, columns } };
  }

  #cte(alias: string): From {
    const { name, types } = this.#one(this.#ctes);
    return { sql: `${name} ${alias}`, source: this.#numbered(alias, types) };
  }

  #subquery(alias: string, depth: number, before: readonly Source[]): From {
    const lateral = before.length > 0 && this.pick(2) === 1;
    const types = this.#some(2).map(() => this.#one<Type>(["text", "int", "json"]));
    const query = lateral
      ? `select ${types.map((type) => this.#expression(type, before, depth + 1)).join(", ")}`
      : this.#selectOf(types, depth + 1);
    const columns = types.map((_, i) => `c${i + 1}`).join(", ");
    const sql = `${lateral ? "lateral " : ""}(${query}) ${alias}(${columns})`;
    return { sql, source: this.#numbered(alias, types) };
  }

  #values(alias: string, depth: number, before: readonly Source[]): From {
    const row = () => `(${this.#expression("text", before, depth + 1)}, ${this.#expression("int", before, depth + 1)})`;
    const sql = `${before.length > 0 ? "lateral " : ""}(values ${row()}, ${row()}) ${alias}(c1, c2)`;
    return { sql, source: this.#numbered(alias, ["text", "int"]) };
  }

  #lateral(alias: string, depth: number, before: readonly Source[]): From {
    const text = () => this.#expression("text", before, depth + 1);
    const json = () => this.#expression("json", before, depth + 1);
    const call = this.#one([
      () => `unnest(array[${text()}, ${text()}])`,
      () => `regexp_split_to_table(${text()}, '@')`,
      () => `string_to_table(${text()}, 'm')`,
      () => `jsonb_path_query_first(${json()}, '$.*')`,
      () => `jsonb_object_keys(jsonb_build_object(${text()}, 1))`,
      () => `generate_series(1, 2)`,
    ])();
    const type: Type = call.startsWith("generate") ? "int" : call.startsWith("jsonb_path") ? "json" : "text";
    return { sql: `lateral ${call} ${alias}(c1)`, source: this.#numbered(alias, [type]) };
  }

  #numbered(alias: string, types: readonly Type[]): Source {
    return { alias, row: true, columns: types.map((type, i) => ({ sql: `${alias}.c${i + 1}`, type })) };
  }

  // ---- expressions -------------------------------------------------------------------------------------------------

  #expression(type: Type, sources: readonly Source[], depth: number): string {
    const columns = sources.flatMap((source) => source.columns).filter((column) => column.type === type);
    const leaves = [...columns.map(({ sql }) => sql), LITERALS[type]];
    if (depth >= MOST_DEPTH || this.pick(5) < 2) return this.#one(leaves);
    const of = (wanted: Type) => () => this.#expression(wanted, sources, depth + 1);
    return this.#one(this.#forms(type, of, sources, depth))();
  }

  #forms(type: Type, of: (type: Type) => () => string, sources: readonly Source[], depth: number): (() => string)[] {
    const [text, int, bool, json] = [of("text"), of("int"), of("bool"), of("json")];
    const source = () => (sources.length > 0 ? this.#one(sources) : undefined);
    const scalar = (wanted: Type) => `(select v from (${this.#selectOf([wanted], depth + 1)}) s(v) limit 1)`;
    const common = [
      () => `coalesce(${of(type)()}, ${of(type)()})`,
      () => `case when ${bool()} then ${of(type)()} else ${of(type)()} end`,
      () => scalar(type),
      () => `(array[${of(type)()}, ${of(type)()}])[1]`,
      () => `(row(${of(type)()}, 1)).f1`,
    ];
    const own: Readonly<Record<Type, (() => string)[]>> = {
      text: [
        () => `${this.#one(TEXT_FUNCTIONS)}(${text()})`,
        () => `(${text()} || ${text()})`,
        () => `substr(${text()}, ${int()}, 40)`,
        () => `replace(${text()}, 'a', ${text()})`,
        () => `format('%s-%L', ${text()}, ${int()})`,
        () => `concat_ws(':', ${text()}, ${int()}, ${json()})`,
        () => `greatest(${text()}, ${text()})`,
        () => `nullif(${text()}, ${text()})`,
        () => `split_part(${text()}, '@', 1)`,
        () => `regexp_replace(${text()}, '[0-9]', '#')`,
        () => `(${json()} ->> 'email')`,
        () => `${json()}::text`,
        () => `${int()}::text`,
        () => `${text()}::varchar::text`,
        () => `encode(convert_to(${text()}, 'utf8'), '${this.#one(["hex", "base64", "escape"])}')`,
        () => `array_to_string(array[${text()}, ${text()}], ',')`,
        () => `${source()?.alias ?? "'x'"}::text`,
        () => `xmlserialize(content xmlelement(name a, ${text()}) as text)`,
        () => `to_tsvector('simple', ${text()})::text`,
        () => `(${text()} collate "C")`,
        () => `secret(${int()})`,
        () => `joined(${text()}, ${text()})`,
        () => `(${text()}::mail || '')`,
      ],
      int: [
        () => `length(${text()})`,
        () => `ascii(${text()})`,
        () => `(${int()} + ${int()})`,
        () => `position('@' in ${text()})`,
        () => `(select count(*)::int from (${this.#selectOf(["text"], depth + 1)}) s)`,
        () => `hashtext(${text()})`,
        () => `(${text()})::int`,
      ],
      bool: [
        () => `${int()} < ${int()}`,
        () => `${text()} = ${text()}`,
        () => `${text()} like 'a%'`,
        () => `${text()} is not null`,
        () => `(not ${bool()})`,
        () => `(${bool()} and ${bool()})`,
        () => `(${bool()} or ${bool()})`,
        () => `exists (${this.#selectOf(["int"], depth + 1)})`,
        () => `${text()} in (${this.#selectOf(["text"], depth + 1)})`,
        () => `${int()} between 1 and 3`,
      ],
      json: [
        () => `to_jsonb(${text()})`,
        () => `jsonb_build_object('email', ${text()}, 'n', ${int()})`,
        () => `jsonb_build_array(${text()}, ${json()})`,
        () => (source()?.row ? `to_jsonb(${source()?.alias})` : "'{}'::jsonb"),
        () => `row_to_json(${source()?.alias ?? "row(1)"})::jsonb`,
        () => `(${json()} || ${json()})`,
        () => `(${json()} -> 'email')`,
        () => `jsonb_path_query_array(${json()}, '$.*')`,
        () => `jsonb_strip_nulls(${json()})`,
      ],
    };
    return [...own[type], ...common];
  }

  #aggregate(type: Type, sources: readonly Source[], depth: number): string {
    const of = (wanted: Type) => this.#expression(wanted, sources, depth + 2);
    const filter = () => (this.pick(4) === 3 ? ` filter (where ${of("bool")})` : "");
    const forms: Readonly<Record<Type, readonly (() => string)[]>> = {
      int: [() => `count(*)${filter()}::int`, () => `max(${of("int")})`, () => `count(distinct ${of("text")})::int`],
      text: [
        () => `max(${of("text")})${filter()}`,
        () => `string_agg(${of("text")}, ',' order by ${of("int")})`,
        () => `array_agg(${of("text")})::text`,
        () => `mode() within group (order by ${of("text")})`,
        () => `longest(${of("text")})`,
        () => `upper(min(${of("text")}))`,
      ],
      bool: [() => `bool_or(${of("bool")})`, () => `count(*) > 1`, () => `max(${of("text")}) like 'z%'`],
      json: [
        () => `jsonb_agg(${of("text")})`,
        () => `jsonb_object_agg(${of("int")}, ${of("text")})`,
        () => `to_jsonb(array_agg(${of("json")}))`,
      ],
    };
    return this.#one(forms[type])();
  }

  // ---- writes ------------------------------------------------------------------------------------------------------

  #write(returning: string): string {
    const own: Source = {
      alias: "orders",
      row: true,
      columns: [
        { sql: "orders.id", type: "int" },
        { sql: "orders.note", type: "text" },
      ],
    };
    const clean: Source = {
      alias: "customers",
      row: true,
      columns: ["id", "name", "email"].map((name) => ({
        sql: `customers.${name}`,
        type: name === "id" ? "int" : "text",
      })),
    };
    const back = (source: Source) =>
      returning.includes("id")
        ? `returning ${source.alias}.id, '${source.alias}'::text`
        : `returning ${this.#expression("text", [source], 1)}, ${this.#expression("json", [source], 1)}`;
    const key = () => 1 + this.pick(5);
    return this.#one([
      () => `update customers set name = name where id = ${key()} ${back(clean)}`,
      () =>
        `update customers set email = lower(${this.#expression("text", [clean], 2)}) where id = ${key()} ${back(clean)}`,
      () => `delete from customers where id = ${key()} ${back(clean)}`,
      () => `update orders set note = ${this.#expression("text", [own], 2)} where id = ${key()} ${back(own)}`,
      () => `insert into orders (id, note) select ${900 + key()}, ${this.#expression("text", [], 2)} ${back(own)}`,
      () =>
        `insert into customers (id, name, email) values (${key()}, 'n', 'e') on conflict (id) do update set name = 'x' ${back(clean)}`,
      () =>
        `insert into customers (id, name, email) select id + 50, 'n', ${this.#expression("text", [clean], 2)} || id from customers where id < 3 ${back(clean)}`,
    ])();
  }
}

const LITERALS: Readonly<Record<Type, string>> = {
  int: "1",
  text: "'x'::text",
  bool: "true",
  json: `'{"a": 1}'::jsonb`,
};
const TEXT_FUNCTIONS = [
  "lower",
  "upper",
  "reverse",
  "md5",
  "btrim",
  "quote_literal",
  "initcap",
  "quote_ident",
  "normalize",
];

/** A text of what is picked: fewer picks, and smaller ones, are a smaller text. */
const written = (write: (writer: Writer) => string): fc.Arbitrary<string> =>
  fc.noBias(fc.array(fc.nat(2 ** 16), { size: "max", maxLength: 300 })).map((picks) => {
    let at = 0;
    return write(new Writer((below) => (picks[at++] ?? 0) % below));
  });

/** What a client may send, several statements in one text among it. */
export const statements = written((writer) => writer.statement());
/** One statement that gives rows. */
export const queries = written((writer) => writer.query());

/** The names of the shop's columns that hold marks; `*` stands for any. */
export const MARKED_COLUMNS: ReadonlySet<string> = new Set(["email", "phone", "card", "ssn", "mail", "*"]);
