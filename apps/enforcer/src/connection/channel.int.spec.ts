import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Channel } from "./channel.js";

let server: Server;
let peer: Socket;
let channel: Channel;
beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  [[peer]] = (await Promise.all([once(server, "connection"), once(socket, "connect")])) as [[Socket], unknown];
  channel = new Channel(socket);
});
afterEach(() => {
  channel.socket.destroy();
  peer.destroy();
  server.close();
});

const KIB = 1024;

test.each([
  ["what the network takes at once", [300 * KIB]],
  ["the same in pieces", [100 * KIB, 100 * KIB, 100 * KIB]],
  ["what it takes bit by bit", [32 * KIB * KIB]],
  ["the same in pieces", [16 * KIB * KIB, 16 * KIB * KIB]],
])("clogged by %s, it says when it takes bytes again", async (_, sizes) => {
  const drained = new Promise<void>((resolve) => {
    channel.open({ data() {}, drained: resolve, closed() {} });
  });
  for (const size of sizes) channel.write(Buffer.alloc(size));
  expect(channel.clogged).toBe(true);
  channel.flush();
  peer.resume();
  await drained;
  expect(channel.clogged).toBe(false);
});
