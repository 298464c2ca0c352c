import { setImmediate as turn } from "node:timers/promises";
import { gathered } from "./gathered.js";

const sizeOf = (text: string) => text.length;

async function collect(source: AsyncIterable<string>, most = 100): Promise<(readonly string[])[]> {
  const batches: (readonly string[])[] = [];
  for await (const batch of gathered(source, sizeOf, most)) batches.push(batch);
  return batches;
}

describe("gathering", () => {
  it("puts together what is there already", async () => {
    async function* source() {
      yield* ["a", "b", "c"];
      await turn();
      await turn();
      yield* ["d", "e"];
    }
    expect(await collect(source())).toEqual([
      ["a", "b", "c"],
      ["d", "e"],
    ]);
  });

  it("ends a batch that is large enough, and loses nothing", async () => {
    async function* source() {
      yield* ["aaaa", "bbbb", "cccc", "d"];
    }
    expect(await collect(source(), 8)).toEqual([
      ["aaaa", "bbbb"],
      ["cccc", "d"],
    ]);
    expect(await collect(source(), 1)).toEqual([["aaaa"], ["bbbb"], ["cccc"], ["d"]]);
  });

  it("gives nothing where nothing comes", async () => {
    async function* source() {}
    expect(await collect(source())).toEqual([]);
  });

  it("fails with its source, though that failed while a batch was worked on", async () => {
    async function* source() {
      yield "a";
      await turn();
      throw new Error("gone");
    }
    const batches = gathered(source(), sizeOf, 1);
    expect((await batches.next()).value).toEqual(["a"]);
    await turn();
    await turn();
    await expect(batches.next()).rejects.toThrow("gone");
  });
});
