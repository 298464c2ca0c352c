import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from "node:net";
import { createSecureContext, connect as tlsConnect } from "node:tls";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ResourcePart } from "#commands";
import { protocols } from "#protocols";
import { ScramClient, scramVerifier } from "../../../../libs/protocols/src/postgres/handshake/scram.js";
import { back, front, taken } from "../../../../libs/protocols/src/postgres/wire.fixture.js";
import { Authority } from "../connection/upstream.fixture.js";
import { Upstreams } from "../connection/upstreams.js";
import { listen } from "../listener/listener.js";
import { createLog } from "../log.js";
import { ManualClock, settle } from "../manual-clock.fixture.js";
import { BusyPoll } from "../pipeline/busy-poll.js";
import { Turn } from "../pipeline/turn.js";
import { FrontDoor } from "./front-door.js";
import { refusal } from "./refusals.js";
import type { Session, SessionServices } from "./session.js";

/** The front door between real sockets; the control plane answers at once, and time passes when a test says so. */

const SECRET = "secret";
const ALLOW = { kind: "allow" };
const verifier = scramVerifier(SECRET, randomBytes(16), 1);
const clock = new ManualClock();
const sessions = new Set<Session>();
const refusedLogins: { message: string; cause?: string }[] = [];
const releases: { sessionId: string; unopened: boolean }[] = [];
/** The reference that the resource has. */
let password = "env:PATH";
const ends: string[] = [];
/** What the policy says to those who come next; to all others it says yes. */
const admissions: object[] = [];
const sockets: Socket[] = [];
let resource: Server;
let door: Server;
let ca: string;
let lookups: (() => void)[] | null = null;

beforeAll(async () => {
  resource = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write(Buffer.concat([back.authentication(0), back.key(7, 7), back.ready()])));
    // What follows is the client's own.
    socket.on("data", (data) => data[0] === 0x58 && socket.end());
  });
  await once(resource.listen(0, "127.0.0.1", 2048), "listening");
  const authority = await Authority.create("CA of the door");
  const { key, certificate } = await authority.sign(["127.0.0.1"]);
  ca = authority.pem;
  const tls = { context: createSecureContext({ key, cert: certificate }), endpoint: () => Promise.resolve(null) };
  const shop: ResourcePart = {
    name: "shop",
    protocol: "postgres",
    upstream: {
      hosts: [{ host: "127.0.0.1", port: (resource.address() as AddressInfo).port }],
      ...{ targetSessionAttrs: "any", database: "shop", tls: "disable", ca: "" },
    },
    credential: {
      username: "app",
      get password() {
        return password;
      },
    },
    reads: "os",
  };
  const log = createLog("silent");
  const frontDoor = new FrontDoor({
    services: {
      policy: {
        fresh: true,
        current: { bundle: { resources: [shop], labels: [] }, decider: { connect: () => admissions.shift() ?? ALLOW } },
      },
      recorder: {
        accepts: true,
        durable: async () => {},
        record(_session: string, kind: string, said: { message: string; cause?: string }) {
          if (kind === "loginRefused") refusedLogins.push(said);
          if (kind === "sessionEnded") ends.push(said.message);
          return 1;
        },
      },
      ...{ upstreams: new Upstreams(clock), turn: new Turn(new BusyPoll(0)), clock, log },
    } as unknown as SessionServices,
    cancelElsewhere: () => {},
    mockKey: new Uint8Array(32),
    semantics: new Map([
      [
        "postgresql",
        { refusesSettings: () => null, prepare: async () => {}, open: () => ({ settled() {}, close() {} }) },
      ],
    ]) as never,
    control: {
      async call(
        { name }: { name: string },
        { sessionId, tokenId, unopened = false }: { sessionId: string; tokenId: string; unopened?: boolean },
      ) {
        if (name === "Release") releases.push({ sessionId, unopened });
        if (name === "Lookup") {
          if (lookups) await new Promise<void>((go) => lookups!.push(go));
          return { found: true, resource: "shop", verifier };
        }
        const expiresAt = timestampFromMs(clock.now() + 3_600_000);
        const lease = { sessionId, tokenId, principal: { groups: [] }, resource: "shop", scope: [], expiresAt };
        return name === "Redeem" ? { outcome: { case: "lease", value: lease } } : {};
      },
    } as never,
    allowPlaintext: true,
    tls: () => tls,
    opened: (session) => sessions.add(session),
    ended: (session) => sessions.delete(session),
  });
  const config = { protocol: "postgres", host: "127.0.0.1", bind: "127.0.0.1", port: 0 };
  door = await listen(config, 10_000, log, (socket) => void frontDoor.serve(socket, protocols.get("postgres")!));
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  while (sessions.size > 0) await settle();
});
afterAll(() => {
  door.close();
  resource.close();
});

async function open(): Promise<Socket> {
  const socket = dial((door.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

async function openTls(): Promise<Socket> {
  const plain = await open();
  plain.write(front.sslRequest());
  await once(plain, "data");
  const socket = tlsConnect({ socket: plain, ca, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** The types of what the server says from the proof on. */
async function logIn(socket: Socket): Promise<string> {
  const next = async () => taken(((await once(socket, "data")) as [Buffer])[0]);
  socket.write(front.startup({ user: "foil_abc" }));
  await next();
  const client = new ScramClient(SECRET, randomBytes(18));
  socket.write(front.saslInitial("SCRAM-SHA-256", client.first));
  const [challenge] = await next();
  socket.write(front.sasl(client.answer(Buffer.from(challenge!.body, "latin1").subarray(4).toString())));
  for (let said = ""; ; ) {
    said += (await next()).map(({ type }) => type).join("");
    if (/[ZE]$/.test(said)) return said;
  }
}

const closing = (socket: Socket) => {
  socket.resume();
  return once(socket, "close");
};

test("a thousand at once, among those that say nothing: all come in", async () => {
  const silent = await Promise.all(Array.from({ length: 200 }, open));
  while (clock.waiting < silent.length) await settle();
  const all = await Promise.all(
    Array.from({ length: 1000 }, async (_, n) => logIn(await (n % 4 === 0 ? openTls() : open()))),
  );
  expect(new Set(all)).toEqual(new Set(["RRKZ"]));
  expect(sessions.size).toBe(1000);
  expect(silent.every((socket) => !socket.destroyed)).toBe(true);
  // The silent ones have their time, and no more; sessions go on.
  const closed = Promise.all(silent.map(closing));
  await clock.pass(10_000);
  await closed;
  expect(sessions.size).toBe(1000);
});

test.each<[string, () => Promise<Socket>]>([
  ["before anything", open],
  [
    "in the middle of a start-up",
    async () => {
      const socket = await open();
      socket.write(front.startup({ user: "foil_abc" }).subarray(0, 9));
      return socket;
    },
  ],
  [
    "in the middle of a TLS handshake",
    async () => {
      const socket = await open();
      socket.write(Buffer.from("160301020001", "hex"));
      return socket;
    },
  ],
  ["behind TLS", openTls],
  [
    "before the proof",
    async () => {
      const socket = await openTls();
      socket.write(front.startup({ user: "foil_abc" }));
      await once(socket, "data");
      return socket;
    },
  ],
])("whoever falls silent %s is closed when the time for it is over, and not before", async (_when, begin) => {
  const socket = await begin();
  // The other side may not have noticed yet.
  while (clock.waiting === 0) await settle();
  const gone = closing(socket);
  await clock.pass(9_999);
  expect(socket.destroyed).toBe(false);
  await clock.pass(1);
  await gone;
});

test("a control plane that does not answer holds nobody longer than that", async () => {
  lookups = [];
  try {
    const socket = await open();
    socket.write(front.startup({ user: "foil_abc" }));
    while (lookups.length === 0) await settle();
    const gone = closing(socket);
    await clock.pass(10_000);
    await gone;
    for (const go of lookups) go();
  } finally {
    lookups = null;
  }
  expect(await logIn(await open())).toBe("RRKZ");
});

test("those who go while they are let in leave nothing behind", async () => {
  const before = ends.length;
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = await open();
      void logIn(socket).catch(() => {});
      await once(socket, "data");
      socket.destroy();
    }),
  );
  expect(await logIn(await open())).toBe("RRKZ");
  while (sessions.size > 1) await settle();
  expect(ends.length - before).toBeLessThanOrEqual(50);
});

test("those whom the policy forbids while the resource is dialled do not come in", async () => {
  const before = sessions.size;
  const reason = "Not from now on.";
  admissions.push(ALLOW, { kind: "deny", reason, advice: "", policies: [], epoch: 2, uses: [] });
  expect(await logIn(await open())).toMatch(/E$/);
  expect(refusedLogins.at(-1)).toMatchObject({ message: reason, cause: "" });
  expect(releases.at(-1)).toMatchObject({ unopened: false });
  expect(sessions.size).toBe(before);
});

test("a credential that is not there costs the client no use, and the log says why; the client is not told where", async () => {
  password = "file:/nowhere/at-all";
  try {
    expect(await logIn(await open())).toMatch(/E$/);
  } finally {
    password = "env:PATH";
  }
  const cause = "the enforcer cannot read the credential file /nowhere/at-all (ENOENT)";
  expect(refusedLogins.at(-1)!.message).toBe("The enforcer has no credential for shop.");
  expect(refusedLogins.at(-1)!.cause).toContain(cause);
  expect(releases.at(-1)).toMatchObject({ unopened: true });
});

test("a burst that is used up is answered as one", () => {
  expect(refusal.tokenNotUsable("spent", 3)).toMatchObject({
    message: "This token has been used up: all of its 3 uses.",
    hint: expect.stringMatching(/of mode burst can have more uses/),
  });
  expect(refusal.tokenNotUsable("spent", 1).hint).toMatch(/whoever opens several connections/);
});
