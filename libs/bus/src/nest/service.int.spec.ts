import { randomUUID } from "node:crypto";
import { headers } from "@nats-io/transport-node";
import { Controller, Module } from "@nestjs/common";
import { type CallContext, edgeV1, HEADER, identityV1, rpcSubject } from "#contracts";
import { Refused, VersionConflict } from "#event-store";
import { type FreshNats, freshNats } from "../../../../test/servers/nats.js";
import type { Bus } from "../bus.js";
import { BusFailure, BusUnavailable } from "../failures.js";
import { type BusCall, EdgeRpc, Rpc } from "./rpc.js";
import { type RunningService, startService } from "./service.js";

const methods = identityV1.Identity.method;
const heard: BusCall[] = [];
let answered = 0;
let gate: Promise<void> = Promise.resolve();

@Controller()
class Issuers {
  @Rpc(methods.getIssuer)
  async getIssuer(request: identityV1.GetIssuerRequest, call: BusCall) {
    heard.push(call);
    answered++;
    await gate;
    if (request.name === "refused") throw new Refused("not_found", "there is no such issuer", { name: request.name });
    if (request.name === "conflict") throw new VersionConflict("s", 1, 2);
    if (request.name === "broken") throw new TypeError("secret of the inside");
    if (request.name === "large") return { name: "x".repeat(9 * 1024 * 1024) };
    return { name: request.name, version: 3n };
  }

  @Rpc(methods.getEnforcer)
  async getEnforcer(): Promise<{ id: string }> {
    throw new BusUnavailable("the next service is away");
  }

  @EdgeRpc(edgeV1.EdgeIdentity.method.enroll)
  async enroll(_request: edgeV1.EnrollRequest, call: BusCall) {
    return { certificate: call.enforcerId ?? "" };
  }
}
@Module({ controllers: [Issuers] })
class IssuersModule {}

const context = (): CallContext => ({
  actor: { id: "key:1", name: "Zoë \u{1F511}", roles: ["admin"] },
  commandId: randomUUID(),
});

let nats: FreshNats;
let client: Bus;
const services: RunningService[] = [];

beforeAll(async () => {
  nats = await freshNats();
  client = await nats.connect("client");
  for (const replica of ["one", "two"]) {
    services.push(await startService({ bus: await nats.connect(replica), modules: [IssuersModule], logger: false }));
  }
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.close()));
  await nats?.drop();
});

const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => null,
    (error: unknown) => error,
  );

test("a call carries who asks, and its answer comes back", async () => {
  const asked = context();
  const issuer = await client.call(methods.getIssuer, { name: "ci" }, asked);
  expect(issuer).toMatchObject({ name: "ci", version: 3n });
  expect(heard.at(-1)).toEqual({ context: asked, enforcerId: null });
});

test("replicas share the calls: each is answered once", async () => {
  const before = answered;
  await Promise.all(Array.from({ length: 40 }, () => client.call(methods.getIssuer, { name: "ci" }, context())));
  expect(answered).toBe(before + 40);
});

test("an edge method is told the enforcer its subject proves", async () => {
  const answer = await client.callEdge(edgeV1.EdgeIdentity.method.enroll, "node-1", {});
  expect(answer.certificate).toBe("node-1");
});

test("a refusal arrives with code, sentence and details", async () => {
  const failure = await failureOf(client.call(methods.getIssuer, { name: "refused" }, context()));
  expect(failure).toBeInstanceOf(BusFailure);
  expect(failure).toMatchObject({
    code: "not_found",
    message: "there is no such issuer",
    details: { name: "refused" },
  });
});

test("a version conflict and an unavailable further service keep their meaning", async () => {
  expect(await failureOf(client.call(methods.getIssuer, { name: "conflict" }, context()))).toMatchObject({
    code: "version_conflict",
  });
  expect(await failureOf(client.call(methods.getEnforcer, { id: "x" }, context()))).toMatchObject({
    code: "unavailable",
  });
});

test("what breaks inside is not told outside", async () => {
  const failure = await failureOf(client.call(methods.getIssuer, { name: "broken" }, context()));
  expect(failure).toMatchObject({ code: "internal" });
  expect(String(failure)).not.toContain("secret");
});

test("an answer over the bus's limit is a failure, not a silence", async () => {
  expect(await failureOf(client.call(methods.getIssuer, { name: "large" }, context()))).toMatchObject({
    code: "too_large",
  });
});

test("a request over the bus's limit is refused before it is sent", async () => {
  const name = "x".repeat(9 * 1024 * 1024);
  expect(await failureOf(client.call(methods.getIssuer, { name }, context()))).toMatchObject({ code: "too_large" });
});

test.each([
  ["no protobuf", Uint8Array.of(0x0a, 0xff), "GetIssuerRequest"],
  ["no command id", new Uint8Array(), HEADER.commandId],
])("a request that is malformed (%s) is invalid", async (what, body, said) => {
  const header = headers();
  header.set(HEADER.actor, JSON.stringify(context().actor));
  if (what === "no protobuf") header.set(HEADER.commandId, randomUUID());
  const reply = await client.nats.request(rpcSubject(methods.getIssuer), body, { timeout: 5000, headers: header });
  expect(reply.headers?.get(HEADER.outcome)).toBe("failure");
  expect(reply.string()).toContain("invalid");
  expect(reply.string()).toContain(said);
});

test.each(["", "{", "{}", '{"id":"","name":"x","roles":[]}', '{"id":"a","name":"b","roles":[1]}', "null"])(
  "a request whose actor is %p is invalid",
  async (actor) => {
    const header = headers();
    header.set(HEADER.commandId, randomUUID());
    if (actor) header.set(HEADER.actor, actor);
    const reply = await client.nats.request(rpcSubject(methods.getIssuer), "", { timeout: 5000, headers: header });
    expect(reply.string()).toContain(HEADER.actor);
  },
);

test("a method nobody answers is unavailable without a wait", async () => {
  const failure = await failureOf(client.call(methods.listIssuers, {}, context(), { timeoutMs: 3_600_000 }));
  expect(failure).toBeInstanceOf(BusUnavailable);
  expect(String(failure)).toContain("nobody answers");
});

test("a service that ends answers what is under way", async () => {
  const [first, second] = services;
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  const before = answered;
  const calls = Array.from({ length: 10 }, () => client.call(methods.getIssuer, { name: "ci" }, context()));
  await client.nats.flush();
  while (answered < before + 10) await new Promise((resolve) => setTimeout(resolve, 5));
  const ended = Promise.all([first!.close(), second!.close()]);
  open();
  await ended;
  services.length = 0;
  for (const answer of await Promise.all(calls)) expect(answer.name).toBe("ci");
  expect(await failureOf(client.call(methods.getIssuer, { name: "ci" }, context()))).toBeInstanceOf(BusUnavailable);
});

test("a service and its callers are back after the bus was away", async () => {
  const service = await startService({ bus: await nats.connect("again"), modules: [IssuersModule], logger: false });
  services.push(service);
  const back = Promise.all([reconnected(client), reconnected(service.bus)]);
  const lost = disconnected(client);
  const restarted = nats.restart();
  await lost;
  expect(await failureOf(client.call(methods.getIssuer, { name: "ci" }, context()))).toBeInstanceOf(BusUnavailable);
  await restarted;
  await back;
  await service.bus.nats.flush();
  expect((await client.call(methods.getIssuer, { name: "ci" }, context())).name).toBe("ci");
});

const disconnected = (bus: Bus) => next(bus, "disconnect");
const reconnected = (bus: Bus) => next(bus, "reconnect");
async function next(bus: Bus, type: string): Promise<void> {
  for await (const status of bus.nats.status()) if (status.type === type) return;
}
