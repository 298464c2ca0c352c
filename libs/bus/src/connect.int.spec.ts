import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { createBusKeys, userCredentials } from "./accounts.js";
import { connectBus } from "./connect.js";

let nats: FreshNats;
beforeAll(async () => {
  nats = await freshNats();
});
afterAll(() => nats?.drop());

test("nobody gets in without credentials, or with another installation's", async () => {
  await expect(connectBus({ url: nats.url, name: "nobody", patienceMs: 0 })).rejects.toThrow(/refused the credentials/);
  const credentials = await userCredentials(createBusKeys().control, "stranger");
  await expect(connectBus({ url: nats.url, name: "stranger", credentials, patienceMs: 0 })).rejects.toThrow(
    /refused the credentials of stranger/,
  );
});

test("what are no credentials is said before any server is asked", async () => {
  const nowhere = { url: "nats://127.0.0.1:1", name: "x" };
  for (const credentials of ["", "what?", readFileSync(nats.credentials.control, "utf8").split("SEED")[0]!])
    await expect(connectBus({ ...nowhere, credentials })).rejects.toThrow(/must be the text of a \.creds file/);
});

test("no server is one clear sentence", async () => {
  await expect(connectBus({ url: "nats://127.0.0.1:1", name: "x", patienceMs: 0 })).rejects.toThrow(
    "there is no bus at nats://127.0.0.1:1; is nats-server running there?",
  );
});

test("a server that says nothing any more keeps nobody from ending", async () => {
  const bus = await nats.connect("patient");
  const server = Number(readFileSync(join(nats.keys, "../pid"), "utf8"));
  process.kill(server, "SIGSTOP");
  try {
    await bus.close();
    expect(bus.connected).toBe(false);
  } finally {
    process.kill(server, "SIGCONT");
  }
});
