import { CrowdedShop, Member, OTHER, recordedOf, seeded } from "./crowd.fixture.js";
import { type EnforcedShop, streamOf } from "./enforced-shop.fixture.js";
import { killProcesses, startNode } from "./enforcer-process.fixture.js";

/**
 * Many sessions of one enforcer at once, of several principals and of two resources, that send the same texts: each is told
 * what it may see and recorded as what it did, while others die in the midst and policies come and go.
 */

const SEED = 1;
const MEMBERS = 12;
const ACTS = 12;

let crowded: CrowdedShop;
let shop: EnforcedShop;
afterEach(() => crowded?.drop());
afterAll(killProcesses);

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
    crowded.rule(round);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  return round;
}

test.each([
  ["one process", undefined, undefined],
  ["a node of two", { workers: 2 }, startNode],
])(
  "each of many is told and recorded as if it were alone: %s",
  async (_where, change, begin) => {
    crowded = await CrowdedShop.start(change, begin);
    shop = crowded.shop;
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
    for (const member of members) expect(await recordedOf(shop.control, member)).toEqual(member.said);
    expect((await shop.direct("select 1 from said where who = 'mortal'")).rowCount).toBe(0);
  },
  120_000,
);
