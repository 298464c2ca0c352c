import { randomUUID } from "node:crypto";
import { type AppendRequest, CommandIdReused, type EventStore, VersionConflict } from "./store.js";

/** A store under test, with what the contract needs to look behind it. */
export interface StoreUnderTest<Tx> {
  readonly store: EventStore<Tx>;
  /** Resolves when everything appended so far has its place in the global order. */
  settle(): Promise<void>;
  /** Writes a note in the transaction of an append. */
  note(tx: Tx, text: string): Promise<void>;
  notes(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const hash = (text: string) => Buffer.from(text.padEnd(32, "."));

function request(streamId: string, over: Partial<AppendRequest> & { types?: readonly string[] } = {}): AppendRequest {
  const { types = ["Noted"], ...rest } = over;
  const commandId = rest.commandId ?? randomUUID();
  return {
    streamId,
    streamType: "note",
    expected: "any",
    requestHash: hash("a"),
    events: types.map((type, n) => ({ eventId: randomUUID(), schemaVersion: 1, event: { type, data: { n } } })),
    meta: { actor: { id: "ada", name: "Ada" }, commandId, reason: "for the test" },
    ...rest,
    commandId,
  };
}

/** The promises of EventStore, as tests every store passes. */
export function eventStoreContract<Tx>(name: string, open: () => Promise<StoreUnderTest<Tx>>): void {
  describe(`${name} keeps the event store's contract`, () => {
    let under: StoreUnderTest<Tx>;
    let store: EventStore<Tx>;
    let stream: string;
    beforeAll(async () => {
      under = await open();
      store = under.store;
    });
    afterAll(() => under?.close());
    beforeEach(() => {
      stream = `note-${randomUUID()}`;
    });

    const everything = async () => {
      await under.settle();
      return store.readAll(0, 1_000_000);
    };

    it("gives back what was appended", async () => {
      const asked = request(stream, { types: ["Opened", "Closed"] });
      expect(await store.append(asked)).toEqual({ firstPosition: 1, lastPosition: 2, replayed: false });
      const events = await store.readStream(stream);
      expect(events).toEqual(
        asked.events.map((event, index) => ({
          ...event,
          streamId: stream,
          streamType: "note",
          streamPosition: index + 1,
          meta: asked.meta,
          recordedAt: expect.any(Date),
        })),
      );
    });

    it("keeps every character a JSON text can carry", async () => {
      const data = { text: 'nul \u0000 quote " backslash \\ é 漢 🦊', deep: [{ a: null, b: 1.5, c: true }] };
      const events = [{ eventId: randomUUID(), schemaVersion: 3, event: { type: "Noted", data } }];
      await store.append(request(stream, { events }));
      const [event] = await store.readStream(stream);
      expect(event?.event.data).toEqual(data);
      expect(event?.schemaVersion).toBe(3);
    });

    it("reads a stream from a place, and nothing from an unknown one", async () => {
      await store.append(request(stream, { types: ["A", "B", "C"] }));
      expect((await store.readStream(stream, 1)).map((e) => e.event.type)).toEqual(["B", "C"]);
      expect(await store.readStream(stream, 3)).toEqual([]);
      expect(await store.readStream(`${stream}-unknown`)).toEqual([]);
    });

    it("refuses an append without events", async () => {
      await expect(store.append(request(stream, { events: [] }))).rejects.toThrow(/at least one event/);
    });

    describe("expected version", () => {
      it("0 means the stream must not exist", async () => {
        await store.append(request(stream, { expected: 0 }));
        await expect(store.append(request(stream, { expected: 0 }))).rejects.toEqual(new VersionConflict(stream, 0, 1));
      });
      it("n means exactly n", async () => {
        await store.append(request(stream, { types: ["A", "B"] }));
        await expect(store.append(request(stream, { expected: 1 }))).rejects.toEqual(new VersionConflict(stream, 1, 2));
        await expect(store.append(request(stream, { expected: 3 }))).rejects.toEqual(new VersionConflict(stream, 3, 2));
        expect(await store.append(request(stream, { expected: 2 }))).toMatchObject({ lastPosition: 3 });
      });
      it("of an unknown stream is 0, and a refused append leaves none", async () => {
        await expect(store.append(request(stream, { expected: 1 }))).rejects.toEqual(new VersionConflict(stream, 1, 0));
        expect(await store.append(request(stream, { expected: 0 }))).toMatchObject({ lastPosition: 1 });
      });
    });

    describe("a repeated command", () => {
      it("is answered as the first time and appends nothing", async () => {
        const first = request(stream, { expected: 0, types: ["A", "B"] });
        await store.append(first);
        await store.append(request(stream, { expected: 2 }));
        expect(await store.append(first)).toEqual({ firstPosition: 1, lastPosition: 2, replayed: true });
        expect(await store.readStream(stream)).toHaveLength(3);
      });
      it("does not run `within` again", async () => {
        const asked = request(stream);
        const text = randomUUID();
        await store.append(asked, (tx) => under.note(tx, text));
        await store.append(asked, (tx) => under.note(tx, text));
        expect((await under.notes()).filter((note) => note === text)).toEqual([text]);
      });
      it("can be looked up", async () => {
        const asked = request(stream, { types: ["A", "B"] });
        expect(await store.findCommand(asked.commandId, stream, asked.requestHash)).toBeNull();
        await store.append(asked);
        expect(await store.findCommand(asked.commandId, stream, asked.requestHash)).toEqual({
          firstPosition: 1,
          lastPosition: 2,
          replayed: true,
        });
        await expect(store.findCommand(asked.commandId, stream, hash("b"))).rejects.toBeInstanceOf(CommandIdReused);
      });
      it("with another request, or on another stream, is refused", async () => {
        const first = request(stream);
        await store.append(first);
        await expect(store.append({ ...first, requestHash: hash("b") })).rejects.toBeInstanceOf(CommandIdReused);
        await expect(store.append({ ...first, streamId: `${stream}-other` })).rejects.toBeInstanceOf(CommandIdReused);
        expect(await store.readStream(`${stream}-other`)).toEqual([]);
      });
      it("racing itself is carried out once", async () => {
        const asked = request(stream, { expected: 0 });
        const text = randomUUID();
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => store.append(asked, (tx) => under.note(tx, text))),
        );
        expect(answers.filter((answer) => !answer.replayed)).toHaveLength(1);
        expect(answers.every((answer) => answer.firstPosition === 1 && answer.lastPosition === 1)).toBe(true);
        expect(await store.readStream(stream)).toHaveLength(1);
        expect((await under.notes()).filter((note) => note === text)).toEqual([text]);
      });
      it("racing itself on different streams wins on one", async () => {
        const commandId = randomUUID();
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, n) => store.append(request(`${stream}-${n}`, { commandId }))),
        );
        const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
        expect(refusals).toHaveLength(7);
        expect(refusals.every((reason) => reason instanceof CommandIdReused)).toBe(true);
      });
    });

    describe("within", () => {
      it("sees what is appended", async () => {
        let seen: unknown;
        await store.append(request(stream, { types: ["A", "B"] }), async (_tx, appended) => {
          seen = appended.map(({ streamPosition, event }) => [streamPosition, event.type]);
        });
        expect(seen).toEqual([
          [1, "A"],
          [2, "B"],
        ]);
      });
      it("takes the append with it when it fails, and its own effects", async () => {
        const asked = request(stream);
        const text = randomUUID();
        const failing = store.append(asked, async (tx) => {
          await under.note(tx, text);
          throw new Error("no room");
        });
        await expect(failing).rejects.toThrow("no room");
        expect(await store.readStream(stream)).toEqual([]);
        expect(await under.notes()).not.toContain(text);
        expect(await store.append(asked, (tx) => under.note(tx, text))).toMatchObject({ replayed: false });
        expect(await under.notes()).toContain(text);
      });
      it("leaves no effect of a refused append", async () => {
        await store.append(request(stream));
        const text = randomUUID();
        await expect(
          store.append(request(stream, { expected: 0 }), (tx) => under.note(tx, text)),
        ).rejects.toBeInstanceOf(VersionConflict);
        expect(await under.notes()).not.toContain(text);
      });
    });

    describe("concurrent writers", () => {
      it("expecting the same version have one winner", async () => {
        await store.append(request(stream));
        const outcomes = await Promise.allSettled(
          Array.from({ length: 12 }, () => store.append(request(stream, { expected: 1 }))),
        );
        expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(VersionConflict);
        }
        expect(await store.readStream(stream)).toHaveLength(2);
      });

      it("get dense stream positions and dense global positions, in the order of each stream", async () => {
        const streams = Array.from({ length: 5 }, (_, n) => `${stream}-${n}`);
        await Promise.all(
          Array.from({ length: 60 }, (_, n) =>
            store.append(request(streams[n % streams.length]!, { types: n % 3 ? ["A"] : ["A", "B", "C"] })),
          ),
        );
        const all = await everything();
        expect(all.map((event) => event.position)).toEqual(all.map((_, index) => index + 1));
        for (const one of streams) {
          const own = all.filter((event) => event.streamId === one);
          expect(own.map((event) => event.streamPosition)).toEqual(own.map((_, index) => index + 1));
          expect(own.map((event) => event.eventId)).toEqual((await store.readStream(one)).map((e) => e.eventId));
        }
      });
    });

    it("reads the global order in pages, each position for ever the same", async () => {
      await store.append(request(stream, { types: ["A", "B", "C"] }));
      const before = await everything();
      await store.append(request(`${stream}-later`, { types: ["D"] }));
      const after = await everything();
      expect(after.slice(0, before.length)).toEqual(before);
      expect(after).toHaveLength(before.length + 1);
      expect(await store.readAll(1, 2)).toEqual(after.slice(1, 3));
      expect(await store.readAll(after.length, 10)).toEqual([]);
    });
  });
}
