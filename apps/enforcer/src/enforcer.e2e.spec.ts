import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";

let world: World;
let enforcer: Enforcer;
const clients: pg.Client[] = [];

beforeAll(async () => {
  world = await createWorld();
  enforcer = await Enforcer.start(await world.config({ logLevel: "debug" }));
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});
afterAll(async () => {
  await enforcer?.drain();
  await world?.drop();
});

async function connect(token = world.control.token()): Promise<pg.Client> {
  const client = new pg.Client({
    host: "127.0.0.1",
    port: enforcer.ports[0]!,
    user: `foil_${token.id}`,
    password: token.secret,
    database: "shop",
    ssl: { ca: readFileSync(join(world.folder, "ca.pem"), "utf8") },
  });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

test("first light", async () => {
  const client = await connect();
  console.log(
    (await client.query("select id, email as e, name, upper(email) u from customers order by id limit 2")).rows,
  );
  console.log((await client.query("select id, email from customers where id = $1", [3])).rows);
  await client.query("delete from customers").catch((e) => console.log(e));
});
