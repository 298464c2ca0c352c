import pg from "pg";
import type { edgeV1 } from "#contracts";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { content, labels, Member, NOT_RUN, OTHER, PIPED, policies, seeded } from "./crowd.fixture.js";
import { EnforcedShop, streamOf } from "./enforced-shop.fixture.js";

/**
 * Many sessions of one enforcer at once, of several principals and of two resources, that send the same texts: each is told
 * what it may see and recorded as what it did, while others die in the midst and policies come and go.
 */

const SEED = 1;
const MEMBERS = 12;
const ACTS = 12;

let other: FreshDatabase;
let shop: EnforcedShop;
beforeAll(async () => {
  other = await freshDatabase();
  shop = await EnforcedShop.start({ allowPlaintext: true }, async ({ control, direct }) => {
    await direct(content("shop"));
    const client = new pg.Client({ connectionString: other.url });
    await client.connect();
    await client.query(content("other"));
    await client.end();
    const { resource } = control;
    const upstream = { ...resource.upstream, database: new URL(other.url).pathname.slice(1) };
    control.change({
      policies: policies(0),
      labels: labels("first"),
      others: [{ ...resource, name: OTHER, upstream }],
    });
  });
});
afterAll(async () => {
  await shop?.drop();
  await other?.drop();
});

/** Sessions that are cut off in the midst of what the others ask too, by either end. */
async function mortals(until: () => boolean): Promise<number> {
  const random = seeded(SEED);
  let died = 0;
  for (; !until(); died++) {
    const resource = random() < 0.5 ? "shop" : OTHER;
    const client = await shop.connect({ ssl: false, database: resource }, shop.control.token({ resource }));
    const { rows } = await client.query("select pg_backend_pid() as pid");
    client.query("begin").catch(() => {});
    client.query("insert into said values ('mortal', 1)").catch(() => {});
    client.query("select a.* from people a, people b, people c").catch(() => {});
    const answering = new Promise((resolve) => streamOf(client).once("data", resolve));
    await answering;
    if (random() < 0.5) streamOf(client).resetAndDestroy();
    else await shop.direct(`select pg_terminate_backend(${rows[0].pid})`);
  }
  return died;
}

/** Another policy that means the same, with labels of other names. */
async function rulers(until: () => boolean): Promise<number> {
  let round = 1;
  for (; !until(); round++) {
    shop.control.change({ policies: policies(round), labels: labels(round % 2 ? "second" : "first") });
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  return round;
}

test("each of many is told and recorded as if it were alone", async () => {
  const members = await Promise.all(Array.from({ length: MEMBERS }, (_, number) => Member.join(shop, number, SEED)));
  let over = false;
  const around = [rulers(() => over), mortals(() => over), mortals(() => over)];
  try {
    await Promise.all(
      members.map(async (member) => {
        for (let act = 0; act < ACTS; act++) await member.act();
      }),
    );
  } finally {
    over = true;
  }
  for (const happened of await Promise.all(around)) expect(happened).toBeGreaterThan(1);
  for (const { client } of members) await client.end();
  await shop.control.until(() => shop.enforcer.sessions === 0 && shop.enforcer.unshipped === 0);
  for (const member of members) expect(recordedOf(member)).toEqual(member.said);
  expect((await shop.direct("select 1 from said where who = 'mortal'")).rowCount).toBe(0);
}, 120_000);

/** Bound, and asked anew before it ran, as the policy was another by then. */
const UNRUN = "unrun";

interface Line {
  readonly text: string;
  readonly error: string;
  readonly rows: number;
  readonly masked: number;
}

/** What stands of a member in the records: each command with its end, in the order of the commands. */
function recordedOf(member: Member): readonly Line[] {
  const { records } = shop.control;
  const started = records.filter(
    ({ fact }) => fact.case === "sessionStarted" && fact.value.clientApplication === member.name,
  );
  expect(started.length).toBe(1);
  const { sessionId, fact } = started[0]!;
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
