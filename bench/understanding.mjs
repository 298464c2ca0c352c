// `node --import ./test/typescript.mjs bench/understanding.mjs [--policies 50]`: what understanding and deciding a statement
// costs that was never seen before (parse, lineage, decision), and one that was. Over typical statements, in microseconds:
// medians, 99th percentiles, and the mean of processor time, which a busy machine changes less. Of what was never seen, twice:
// where the policies have to be asked about each, and where each differs from one before only in what no policy looks at.
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: { policies: { type: "string", default: "50" }, rounds: { type: "string", default: "200" } },
});
const { createUnderstander } = await import("../libs/sql/src/understander.ts");
const { SHOP_CONTEXT } = await import("../libs/sql/src/shop.fixture.ts");
const { createDecider } = await import("../libs/decisions/src/decider.ts");
const { bundleOf, session } = await import("../libs/decisions/src/decisions.fixture.ts");

/** `#` makes each text a new one. */
const TYPICAL = {
  "by key": "select id, name, email from customers where id = #",
  insert: "insert into orders (id, customer_id, total, note) values (#, 1, 2, 'x') returning id",
  update: "update orders set status = 'paid', note = note || '!' where id = # and customer_id = 5",
  join: `select c.name, o.total, p.amount from customers c join orders o on o.customer_id = c.id
    left join payments p on p.order_id = o.id where c.id = # order by o.total desc limit 20`,
  report: `with spent as (select customer_id, sum(total) as total, count(*) as n from orders where id > # group by customer_id)
    select c.name, lower(c.email), s.total, rank() over (order by s.total desc) from customers c join spent s
    on s.customer_id = c.id where exists (select 1 from payments p where p.amount > s.total) order by 3 desc limit 50`,
  view: "select id, mail, folded from contacts where id in (#, 2, 3, 4, 5)",
};

/** As many policies as asked for; every third speaks of the resource, the others of another. */
const policies = Array.from({ length: Number(options.policies) }, (_, i) => {
  const on = `resource == Resource::"${i % 3 === 0 ? "shop" : "other"}"`;
  return i % 2 === 0
    ? `permit (principal in Group::"ci", action in [Action::"sql:read", Action::"sql:write"], ${on})
       when { context.run like "run-*" && !context.tables_read.contains("app.t${i}") };`
    : `forbid (principal, action in Action::"sql:write", ${on}) when { context.tables_written.contains("app.t${i}") };`;
}).join("\n");
const CONNECT = 'permit (principal, action == Action::"connect", resource);';
/** Looks at what is another each time. */
const COUNTS = 'forbid (principal, action in Action::"sql:any", resource) when { context.statement_count == 0 };';
const asked = createDecider(bundleOf(`${CONNECT}\n${COUNTS}\n${policies}`));
const alike = createDecider(bundleOf(`${CONNECT}\n${policies}`));
const sql = createUnderstander();
const who = session();
const now = 1_700_000_000_000;

async function unseen(text, decider) {
  const from = performance.now();
  const understanding = await sql.understand(text, SHOP_CONTEXT);
  // Another number of statements: a verdict remembered for the shape would not count.
  const { operations, uses } = understanding;
  const verdict = decider.decide({ operations, uses, statementCount: number }, who, now);
  const took = performance.now() - from;
  if (verdict.kind !== "allow") throw new Error(JSON.stringify(verdict));
  return took * 1000;
}

function seen(text) {
  const times = 1_000;
  const from = performance.now();
  for (let i = 0; i < times; i++) {
    const { operations, uses } = sql.lookup(text, SHOP_CONTEXT);
    alike.decide({ operations, uses, statementCount: 1 }, who, now);
  }
  return ((performance.now() - from) * 1000) / times;
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const row = (statement, values, cpu) => {
  const sorted = values.toSorted((a, b) => a - b);
  const rounded = (value) => Number(value.toFixed(1));
  return { statement, median: rounded(at(sorted, 0.5)), p99: rounded(at(sorted, 0.99)), cpu: rounded(cpu) };
};
async function measured(times, run) {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}
let number = 0;
const fresh = (text) => text.replace("#", String(++number));
const rounds = Number(options.rounds);
for (const text of Object.values(TYPICAL)) for (let i = 0; i < rounds; i++) await unseen(fresh(text), asked);
const report = { policies: Number(options.policies), unseen: [], alike: [], seen: [] };
for (const [name, text] of Object.entries(TYPICAL)) {
  for (const [kind, decider] of Object.entries({ unseen: asked, alike })) {
    const values = [];
    const cpu = await measured(rounds, async () => {
      for (let i = 0; i < rounds; i++) values.push(await unseen(fresh(text), decider));
    });
    report[kind].push(row(name, values, cpu));
  }
  const known = fresh(text);
  await unseen(known, alike);
  const again = [];
  const cpuAgain = await measured(20 * 1_000, () => {
    for (let i = 0; i < 20; i++) again.push(seen(known));
  });
  report.seen.push(row(name, again, cpuAgain));
}
console.log("never seen before, and the policies are asked, µs");
console.table(report.unseen);
console.log("never seen before, alike to the policies, µs");
console.table(report.alike);
console.log("seen, µs");
console.table(report.seen);
console.log(JSON.stringify(report));
await sql.close();
