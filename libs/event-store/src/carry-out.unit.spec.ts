import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { carryOut, eventIdOf } from "./carry-out.js";
import { type Decider, type DomainEvent, Refused } from "./decider.js";
import { MemoryEventStore } from "./memory-store.js";
import { CommandIdReused, VersionConflict } from "./store.js";

type Event = DomainEvent<"Opened", { title: string }> | DomainEvent<"Added", { amount: number }>;
type Command =
  | { type: "open"; title: string; now: Date }
  | { type: "add"; amount: number; now: Date }
  | { type: "nothing"; now: Date };
type State = { title: string | null; total: number };

const counter: Decider<State, Command, Event> = {
  initialState: () => ({ title: null, total: 0 }),
  decide: (command, state) => {
    switch (command.type) {
      case "open":
        if (state.title !== null) throw new Refused("exists", "it is open");
        return [{ type: "Opened", data: { title: command.title } }];
      case "add":
        if (state.title === null) throw new Refused("not_found", "open it first");
        return [{ type: "Added", data: { amount: command.amount } }];
      case "nothing":
        return [];
    }
  },
  evolve: (state, event) =>
    event.type === "Opened"
      ? { ...state, title: event.data.title }
      : { ...state, total: state.total + event.data.amount },
};

describe("carryOut", () => {
  let store: MemoryEventStore;
  let clock = 0;
  const call = (command: Record<string, unknown>, over: Record<string, unknown> = {}) =>
    carryOut(store, counter, {
      streamType: "counter",
      streamId: "counter-1",
      command: { ...command, now: new Date(++clock) } as Command,
      commandId: randomUUID(),
      actor: { id: "ada", name: "Ada" },
      ...over,
    });
  beforeEach(() => {
    store = new MemoryEventStore();
  });

  it("folds, decides, appends and answers the new state", async () => {
    await call({ type: "open", title: "a" });
    const done = await call({ type: "add", amount: 3 }, { reason: "because" });
    expect(done).toMatchObject({ state: { title: "a", total: 3 }, version: 2, replayed: false });
    expect(done.events.map((e) => [e.streamPosition, e.event, e.meta.reason])).toEqual([
      [2, { type: "Added", data: { amount: 3 } }, "because"],
    ]);
  });

  it("passes a refusal on and appends nothing", async () => {
    await expect(call({ type: "add", amount: 1 })).rejects.toEqual(new Refused("not_found", "open it first"));
    expect(await store.readStream("counter-1")).toEqual([]);
  });

  it("answers a repeated command as the first time, though time went on and the state too", async () => {
    const commandId = randomUUID();
    await call({ type: "open", title: "a" }, { commandId });
    await call({ type: "add", amount: 3 });
    const again = await call({ type: "open", title: "a" }, { commandId });
    expect(again).toMatchObject({ state: { title: "a", total: 0 }, version: 1, replayed: true });
    expect(again.events.map((e) => e.event.type)).toEqual(["Opened"]);
  });

  it("answers a repeated command whose precondition no longer holds", async () => {
    const commandId = randomUUID();
    await call({ type: "open", title: "a" }, { commandId, precondition: 0 });
    expect(await call({ type: "open", title: "a" }, { commandId, precondition: 0 })).toMatchObject({ replayed: true });
  });

  it("refuses a command id for another request", async () => {
    const commandId = randomUUID();
    await call({ type: "open", title: "a" }, { commandId });
    await expect(call({ type: "open", title: "b" }, { commandId })).rejects.toBeInstanceOf(CommandIdReused);
    await expect(call({ type: "open", title: "a" }, { commandId, streamId: "counter-2" })).rejects.toBeInstanceOf(
      CommandIdReused,
    );
  });

  it("compares `request` instead of the command where it is given", async () => {
    const commandId = randomUUID();
    await call({ type: "open", title: "drawn 1" }, { commandId, request: { open: true } });
    const again = await call({ type: "open", title: "drawn 2" }, { commandId, request: { open: true } });
    expect(again.state.title).toBe("drawn 1");
  });

  it.each([
    [0, 1],
    [2, 1],
  ])("refuses precondition %i at version %i", async (precondition, version) => {
    await call({ type: "open", title: "a" });
    await expect(call({ type: "add", amount: 1 }, { precondition })).rejects.toEqual(
      new VersionConflict("counter-1", precondition, version),
    );
  });

  it("tells what needs no event", async () => {
    expect(await call({ type: "nothing" })).toEqual({
      state: { title: null, total: 0 },
      version: 0,
      events: [],
      replayed: false,
    });
  });

  it("decides a lost race anew, and runs the projection for what was appended only", async () => {
    await call({ type: "open", title: "a" });
    const totals: number[] = [];
    await Promise.all(
      Array.from({ length: 10 }, () =>
        carryOut(
          store,
          counter,
          {
            streamType: "counter",
            streamId: "counter-1",
            command: { type: "add", amount: 1, now: new Date(0) },
            commandId: randomUUID(),
            actor: { id: "ada", name: "Ada" },
          },
          async (tx, { state, version, events }) => {
            expect(events.at(-1)?.streamPosition).toBe(version);
            tx.onCommit(() => totals.push(state.total));
          },
        ),
      ),
    );
    expect(totals).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("lets a failing projection undo the append", async () => {
    const failing = carryOut(
      store,
      counter,
      {
        streamType: "counter",
        streamId: "counter-1",
        command: { type: "open", title: "a", now: new Date(0) },
        commandId: randomUUID(),
        actor: { id: "ada", name: "Ada" },
      },
      async () => {
        throw new Error("no table");
      },
    );
    await expect(failing).rejects.toThrow("no table");
    expect(await store.readStream("counter-1")).toEqual([]);
  });

  it("derives event ids that are version 8 UUIDs and differ", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.nat(1000), (id, index) => {
        expect(eventIdOf(id, index)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(eventIdOf(id, index)).not.toBe(eventIdOf(id, index + 1));
      }),
    );
  });

  it("loses as many races as there are others to win them", async () => {
    await call({ type: "open", title: "t" });
    const append = store.append.bind(store);
    let others = 60;
    store.append = async (request, within) => {
      if (others > 0) {
        others--;
        throw new VersionConflict(request.streamId, 1, 2);
      }
      return append(request, within);
    };
    expect((await call({ type: "add", amount: 5 })).state.total).toBe(5);
  });
});
