import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { intoOneBuffer, readIntoOneBuffer } from "./one-buffer.js";

/** Both ends of a connection, each reading into the one buffer. */
interface Pair {
  readonly accepted: Socket;
  readonly dialled: Socket;
}

let server: Server;
const open: Socket[] = [];
beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
  server.close();
});

async function pair(): Promise<Pair> {
  const taken = once(server, "connection").then(([socket]) => readIntoOneBuffer(socket as Socket));
  const { port } = server.address() as AddressInfo;
  const dialled: Socket = connect({ port, host: "127.0.0.1", onread: intoOneBuffer(() => dialled) });
  const accepted = await taken;
  open.push(accepted, dialled);
  return { accepted, dialled };
}

/** All chunks, as they are when the last one has come: none may have been written over. */
async function received(socket: Socket): Promise<Buffer> {
  return Buffer.concat(await socket.toArray());
}

const filled = (value: number, length: number) => Buffer.alloc(length, value);

test("many connections at once: each has its own bytes, both ways", async () => {
  const pairs: Pair[] = [];
  while (pairs.length < 8) pairs.push(await pair());
  const arrived = pairs.flatMap(({ accepted, dialled }) => [received(accepted), received(dialled)]);
  const lengths = [1, 100, 8191, 70_000, 300_000];
  for (const length of lengths) {
    pairs.forEach(({ accepted, dialled }, index) => {
      dialled.write(filled(2 * index, length));
      accepted.write(filled(2 * index + 1, length));
    });
  }
  for (const { accepted, dialled } of pairs) {
    accepted.end();
    dialled.end();
  }
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (const [index, bytes] of (await Promise.all(arrived)).entries()) {
    expect(bytes.equals(filled(index, total))).toBe(true);
  }
});

test("what is paused is not read, and loses nothing", async () => {
  const { accepted, dialled } = await pair();
  const chunks: Buffer[] = [];
  accepted.on("data", (chunk) => {
    chunks.push(chunk);
    accepted.pause();
    setImmediate(() => accepted.resume());
  });
  dialled.end(filled(7, 1_000_000));
  await once(accepted, "end");
  expect(chunks.length).toBeGreaterThan(10);
  expect(Buffer.concat(chunks).equals(filled(7, 1_000_000))).toBe(true);
});

test("it knows who is there, and the server no longer counts it", async () => {
  const { accepted, dialled } = await pair();
  expect(accepted.remotePort).toBe(dialled.localPort);
  const closed = once(server, "close");
  server.close();
  await closed;
  accepted.write("still there");
  const [chunk] = await once(dialled, "data");
  expect(String(chunk)).toBe("still there");
});

test("one that is gone already is left as it is", async () => {
  const { dialled } = await pair();
  dialled.destroy();
  expect(readIntoOneBuffer(dialled)).toBe(dialled);
});
