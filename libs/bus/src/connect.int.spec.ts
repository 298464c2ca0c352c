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

test("no server is one clear sentence", async () => {
  await expect(connectBus({ url: "nats://127.0.0.1:1", name: "x", patienceMs: 0 })).rejects.toThrow(
    "there is no bus at nats://127.0.0.1:1; is nats-server running there?",
  );
});
