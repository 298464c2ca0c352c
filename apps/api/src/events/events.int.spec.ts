import { connect } from "node:net";
import { AUDIT_APPENDED, auditV1 } from "#contracts";
import { refuse } from "../../test/control-plane.js";
import { Fixture } from "../../test/fixture.js";

let fixture: Fixture;
let size = 0;
beforeAll(async () => {
  fixture = await Fixture.start({ heartbeatMs: 30 });
});
afterAll(() => fixture?.stop());

const entry = (index: number) => ({
  index: BigInt(index),
  type: "t",
  json: `{"data":{"n":${index},"text":"a\\nb"},"index":${index},"type":"t"}`,
});
beforeEach(() => {
  size = 2500;
  fixture.plane.forget();
  fixture.plane.on(auditV1.Audit.method.listEntries, ({ after, limit }) => {
    const from = Number(after) + 1;
    const count = Math.max(0, Math.min(limit || 100, 1000, size - Number(after)));
    return { entries: Array.from({ length: count }, (_, n) => entry(from + n)), head: BigInt(size) };
  });
});
const append = (count: number) => {
  size += count;
  fixture.bus.nats.publish(AUDIT_APPENDED);
};
const indexes = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).index as number);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

test("the index comes first in each line, and once", async () => {
  const { text, headers } = await fixture.send("GET", "/v1/events?after=0&limit=2");
  expect(text).toBe(
    '{"index":1,"data":{"n":1,"text":"a\\nb"},"type":"t"}\n{"index":2,"data":{"n":2,"text":"a\\nb"},"type":"t"}\n',
  );
  expect(headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
});

test("dense and resumable: any way to cut it gives the same log", async () => {
  let all: number[] = [];
  for (const limit of [1, 499, 500, 501, 999]) {
    const { text } = await fixture.send("GET", `/v1/events?after=${all.length}&limit=${limit}`);
    all = [...all, ...indexes(text)];
  }
  expect(all).toEqual(range(1, 2500));
  expect(indexes((await fixture.send("GET", "/v1/events")).text)).toEqual(range(1, 1000));
  expect((await fixture.send("GET", "/v1/events?after=2500")).text).toBe("");
  expect((await fixture.send("GET", "/v1/events?after=9999")).text).toBe("");
});

test.each(["after=-1", "after=x", "after=1.5", "limit=0", "limit=1000001", "follow=maybe", "since=1"])(
  "%s is refused",
  async (query) => {
    expect((await fixture.send("GET", `/v1/events?${query}`)).status).toBe(400);
  },
);

test("a log that cannot be read is a problem document, not a broken stream", async () => {
  fixture.plane.on(auditV1.Audit.method.listEntries, () => refuse("unavailable", "audit is restarting"));
  const { status, body } = await fixture.send("GET", "/v1/events");
  expect([status, body.code]).toEqual([503, "unavailable"]);
});

test("an answer with a hole never becomes a line", async () => {
  fixture.plane.on(auditV1.Audit.method.listEntries, () => ({ entries: [entry(1), entry(3)] }));
  await expect(fixture.send("GET", "/v1/events?limit=5")).rejects.toThrow();
});

/** Reads a followed stream until `enough`, then leaves. */
async function follow(query: string, enough: (text: string) => boolean, meanwhile: () => void = () => {}) {
  const gone = new AbortController();
  const response = await fetch(`${fixture.api.url}/v1/events?follow=true&${query}`, {
    headers: { authorization: "Bearer cfk_admin" },
    signal: gone.signal,
  });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    meanwhile();
    if (enough(text)) break;
  }
  gone.abort();
  return text;
}

test("a follower hears what is appended, without a gap or a repetition", async () => {
  let appended = 0;
  const text = await follow(
    "after=2490",
    (read) => indexes(read).length >= 40,
    () => appended++ < 10 && append(3),
  );
  expect(indexes(text)).toEqual(range(2491, 2530));
});

test("quiet streams show that they live, and find what was never announced", async () => {
  const text = await follow(
    "after=2500",
    (read) => read.includes("{"),
    () => (size = 2501),
  );
  expect(text).toMatch(/^\n+\{/);
  expect(indexes(text)).toEqual([2501]);
  expect(await follow("after=2501", (read) => read.length >= 3)).toBe("\n\n\n");
});

test("a follower with a limit ends by itself", async () => {
  const text = await follow(
    "after=2495&limit=7",
    () => false,
    () => size < 2502 && append(2),
  );
  expect(indexes(text)).toEqual(range(2496, 2502));
});

const asked = () => fixture.plane.asked.filter(({ method }) => method === "ListEntries").length;
/** Ends once nothing has been asked for several heartbeats; the test runs out of time if that never comes. */
const settled = async () => {
  for (let before = -1; before !== asked(); await new Promise((resolve) => setTimeout(resolve, 300))) before = asked();
  return asked();
};

test("nothing is asked for a follower that has left", async () => {
  await follow("after=2500", (read) => read.length >= 2);
  expect(await settled()).toBeGreaterThan(0);
});

test("a reader that does not read is not read for", async () => {
  size = 1_000_000_000;
  const { port } = new URL(fixture.api.url);
  const socket = connect(Number(port), "127.0.0.1");
  try {
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cfk_admin\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const count = await settled();
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(2000);
  } finally {
    socket.destroy();
  }
  await settled();
});
