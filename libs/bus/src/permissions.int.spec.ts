import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { jetstreamManager } from "@nats-io/jetstream";
import { edgeV1, enforcerInbox, pushSubject, STREAM } from "#contracts";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import type { Bus } from "./bus.js";
import { admitEnforcer, connectedEnforcers, revokeEnforcers } from "./enforcer-account.js";
import { BusUnavailable } from "./failures.js";
import { ensureStreams } from "./streams.js";

let nats: FreshNats;
let control: Bus;
const seed = (name: string) => readFileSync(join(nats.keys, `${name}.seed`), "utf8").trim();

beforeAll(async () => {
  nats = await freshNats();
  control = await nats.connect("control");
  await ensureStreams(control);
});
afterAll(() => nats?.drop());

async function node(group = "default") {
  const id = randomUUID();
  const user = await admitEnforcer(seed("enforcers"), { id, group });
  const bus = await nats.connect(id, { credentials: user.credentials, inboxPrefix: enforcerInbox(id) });
  return { id, bus, user };
}

/** The subject of the next thing the server forbids to the connection. */
async function forbidden(bus: Bus): Promise<string> {
  for await (const status of bus.nats.status()) {
    if (status.type === "error") return String(status.error.message);
  }
  throw new Error("the connection was closed");
}

const batch = (source: string, sequence: bigint) => {
  const records = [{ sequence, sessionId: "s", fact: { case: "sessionEnded" as const, value: { cause: "client" } } }];
  const bytes = toBinary(edgeV1.RecordBatchSchema, create(edgeV1.RecordBatchSchema, { source, records }));
  return { name: `${source}/${sequence}-${sequence}`, bytes };
};

describe("an enforcer", () => {
  test("has its records in the stream when the publish is answered, and a repeated batch once", async () => {
    const { id, bus } = await node();
    const manager = await jetstreamManager(control.nats);
    const stored = async () => (await manager.streams.info(STREAM.records.name)).state.messages;
    const before = await stored();
    await bus.publishRecords(id, batch("spool", 1n));
    expect(await stored()).toBe(before + 1);
    await bus.publishRecords(id, batch("spool", 1n));
    expect(await stored()).toBe(before + 1);
    await bus.publishRecords(id, batch("spool", 2n));
    expect(await stored()).toBe(before + 2);
  });

  test("hears pushes to all, to its group and to itself", async () => {
    const { id, bus } = await node("west");
    const heard: string[] = [];
    const three = new Promise<void>((resolve) => {
      bus.subscribePush([pushSubject.all, pushSubject.group("west"), pushSubject.node(id)], (push) => {
        if (push.message.case === "revoked") heard.push(push.message.value.reason);
        if (heard.length === 3) resolve();
      });
    });
    await bus.nats.flush();
    const revoked = (reason: string) => ({ message: { case: "revoked" as const, value: { reason } } });
    control.push(pushSubject.group("east"), revoked("not for it"));
    control.push(pushSubject.all, revoked("all"));
    control.push(pushSubject.group("west"), revoked("group"));
    control.push(pushSubject.node(id), revoked("node"));
    await three;
    expect(heard.sort()).toEqual(["all", "group", "node"]);
  });

  test.each([
    ["as another node", (other: string) => `edge.${other}.EdgeTokens.Redeem`],
    ["records as another node", (other: string) => `edge.${other}.records`],
    ["to a control service", () => "rpc.Tokens.Mint"],
    ["to JetStream", () => "$JS.API.STREAM.LIST"],
    ["to another node", (other: string) => pushSubject.node(other)],
    ["to all nodes", () => pushSubject.all],
    ["into another's inbox", (other: string) => `${enforcerInbox(other)}.x`],
    ["decided facts", () => "events.token.Minted"],
  ])("may not publish %s", async (_what, subject) => {
    const [mine, other] = [await node(), await node()];
    const refusal = forbidden(mine.bus);
    const wanted = subject(other.id);
    mine.bus.nats.publish(wanted, "x");
    expect(await refusal).toContain(`"${wanted}"`);
  });

  test.each([
    ["another's inbox", (other: string) => `${enforcerInbox(other)}.>`],
    ["pushes to another node", (other: string) => pushSubject.node(other)],
    ["pushes to another group", () => pushSubject.group("other")],
    ["everything", () => ">"],
    ["every push", () => "push.>"],
    ["what others ask", () => "edge.>"],
  ])("may not hear %s", async (_what, subject) => {
    const [mine, other] = [await node(), await node()];
    const refusal = forbidden(mine.bus);
    const wanted = subject(other.id);
    mine.bus.nats.subscribe(wanted, { callback: () => {} });
    expect(await refusal).toContain(`"${wanted}"`);
  });

  test("that asks as another gets no answer", async () => {
    const [mine, other] = [await node(), await node()];
    await expect(
      mine.bus.callEdge(edgeV1.EdgePolicy.method.getBundle, other.id, {}, { timeoutMs: 300 }),
    ).rejects.toBeInstanceOf(BusUnavailable);
  });

  test("is known to be connected for as long as it is", async () => {
    const { bus, user } = await node();
    const system = await nats.connect("system", { credentials: readFileSync(nats.credentials.system, "utf8") });
    const connected = () => connectedEnforcers(system, seed("enforcers"));
    expect(await connected()).toContain(user.publicKey);
    await bus.close();
    while ((await connected()).has(user.publicKey));
  });

  test("that is revoked is cut off at once and stays out, also after the server's restart", async () => {
    const [gone, stays] = [await node(), await node()];
    const system = await nats.connect("system", { credentials: readFileSync(nats.credentials.system, "utf8") });
    const cut = new Promise<void>((resolve) => {
      void (async () => {
        for await (const status of gone.bus.nats.status()) if (status.type === "disconnect") resolve();
      })();
    });
    const keys = { operatorSeed: seed("operator"), accountSeed: seed("enforcers") };
    await revokeEnforcers(system, keys, [gone.user.publicKey], new Date());
    await revokeEnforcers(system, keys, [gone.user.publicKey], new Date());
    await cut;
    const again = { credentials: gone.user.credentials, inboxPrefix: enforcerInbox(gone.id), patienceMs: 0 };
    await expect(nats.connect("again", again)).rejects.toThrow(/refused the credentials/);
    await nats.restart();
    await expect(nats.connect("again", again)).rejects.toThrow(/refused the credentials/);
    await (await nats.connect("stays", { ...again, credentials: stays.user.credentials })).close();
  });

  test("is not admitted under a name that would widen its permissions", async () => {
    expect(() => admitEnforcer(seed("enforcers"), { id: ">", group: "default" })).toThrow(/not a name/);
    expect(() => admitEnforcer(seed("enforcers"), { id: "a", group: "*" })).toThrow(/not a name/);
  });
});
