import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from "node:net";
import { createSecureContext, TLSSocket, connect as tlsConnect } from "node:tls";
import type { HostPart, ResourcePart, UpstreamPart } from "#commands";
import { protocols } from "#protocols";
import { back, front, taken, types } from "../../../../libs/protocols/src/postgres/wire.fixture.js";
import { systemClock } from "../clock.js";
import { Authority, METHODS, PASSWORD, type Pair, startPair } from "./upstream.fixture.js";
import { type UpstreamConnection, type UpstreamFailure, Upstreams } from "./upstreams.js";

const postgres = protocols.get("postgres")!;
const sockets: Socket[] = [];
const servers: Server[] = [];
let authority: Authority;

beforeAll(async () => {
  process.env.COUNTERFOIL_TEST_UPSTREAM = PASSWORD;
  authority = await Authority.create("upstream CA");
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

const resource = (
  hosts: readonly (HostPart | { readonly port: number })[],
  upstream: Partial<UpstreamPart> = {},
  username = "scram",
): ResourcePart => ({
  name: "shop",
  protocol: "postgres",
  upstream: {
    hosts: hosts.map((each) => ({ host: "127.0.0.1", ...each })),
    ...{ targetSessionAttrs: "any", database: "postgres", tls: "disable", ca: "", ...upstream },
  },
  credential: { username, password: "env:COUNTERFOIL_TEST_UPSTREAM" },
  reads: "os",
});

async function log(into: ResourcePart, settings: Record<string, string> = {}, upstreams = new Upstreams(systemClock)) {
  const connection = await upstreams.dial(into, postgres, new Map(Object.entries(settings)));
  sockets.push(connection.socket);
  return connection;
}

const refused = (dialling: Promise<unknown>) =>
  dialling.then(
    () => Promise.reject(new Error("it was let in")),
    ({ refusal }: UpstreamFailure) => refusal,
  );

/** The values of the first row. */
async function ask({ socket }: UpstreamConnection, sql: string): Promise<string[]> {
  let bytes = Buffer.alloc(0);
  socket.write(front.query(sql));
  while (!bytes.subarray(-6).equals(back.ready())) {
    socket.resume();
    bytes = Buffer.concat([bytes, ((await once(socket, "data")) as [Buffer])[0]]);
  }
  socket.pause();
  const row = taken(bytes).find(({ type }) => type === "D")?.body ?? "";
  return [row.slice(6)];
}

/** A host where `serve` answers. */
async function host(serve: (socket: Socket) => void): Promise<HostPart> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

const NOBODY = { port: 1 };

describe.each([
  ["of the system", false],
  ["18", true],
])("PostgreSQL %s", (_version, packaged) => {
  let pair: Pair;
  let primary: HostPart;
  let standby: HostPart;
  beforeAll(async () => {
    pair = await startPair(await authority.sign(["localhost", "127.0.0.1"]), packaged);
    primary = { host: "127.0.0.1", port: pair.primary.port };
    standby = { host: "127.0.0.1", port: pair.standby.port };
  });
  afterAll(() => pair?.drop());

  describe.each(["disable", "require", "verify-full"] as const)("with TLS %s", (tls) => {
    test.each(Object.keys(METHODS))("%s", async (username) => {
      const ca = tls === "disable" ? "" : authority.pem;
      const connection = await log(resource([primary], { tls, ca }, username));
      const sql = "select current_user || ' ' || ssl from pg_stat_ssl where pid = pg_backend_pid()";
      expect(await ask(connection, sql)).toEqual([`${username} ${tls === "disable" ? "false" : "true"}`]);
    });
  });

  test("a wrong password, a role that may not log in, a database that is not there: each said, and nothing of the server's", async () => {
    process.env.COUNTERFOIL_TEST_WRONG = "hunter2";
    const wrong = resource([primary]);
    const credential = { username: "scram", password: "env:COUNTERFOIL_TEST_WRONG" };
    expect((await refused(log({ ...wrong, credential }))).message).toContain("refused the enforcer's credential");
    expect((await refused(log(resource([primary], {}, "nobody_at_all")))).message).toContain("credential");
    expect((await refused(log(resource([primary], { database: "nowhere" })))).message).toContain(
      'no database "nowhere"',
    );
    expect((await refused(log(resource([primary]), { TimeZone: "Nowhere/Land" }))).message).toContain(
      "start-up setting",
    );
  });

  test("a cancel request finds the session, with the key the server gave, over TLS too", async () => {
    const upstreams = new Upstreams(systemClock);
    for (const tls of ["disable", "require"] as const) {
      const where = resource([NOBODY, primary], { tls });
      const connection = await log(where, {}, upstreams);
      // Since 18 and protocol 3.2 the secret is longer.
      expect(connection.ready.cancelKey).toHaveLength(packaged ? 36 : 8);
      const { socket } = connection;
      const answer = (async () => {
        socket.resume();
        for await (const chunk of socket) if (types(chunk as Buffer).includes("E")) return String(chunk);
        return "closed";
      })();
      socket.write(front.query("select pg_sleep(600)"));
      const pid = Buffer.from(connection.ready.cancelKey).readInt32BE(0);
      for (let runs = 0; runs === 0; ) {
        const sql = `select 1 from pg_stat_activity where pid = ${pid} and query like '%pg_sleep%'`;
        runs = (await pair.primary.query(sql)).rows.length;
      }
      await upstreams.cancel(where, postgres, connection);
      expect(await answer).toContain("57014");
    }
  });

  test("several hosts, in their order: the first that will do", async () => {
    const both = [standby, primary];
    const where = async (target: UpstreamPart["targetSessionAttrs"], hosts: readonly HostPart[] = both) => {
      const connection = await log(resource(hosts, { targetSessionAttrs: target }));
      const [recovering] = await ask(connection, "select pg_is_in_recovery()");
      expect(connection.host).toEqual(recovering === "t" ? standby : primary);
      return recovering === "t" ? "standby" : "primary";
    };
    expect(await where("any")).toBe("standby");
    expect(await where("any", [primary, standby])).toBe("primary");
    expect(await where("read-write")).toBe("primary");
    expect(await where("primary")).toBe("primary");
    expect(await where("read-only", [primary, standby])).toBe("standby");
    expect(await where("standby", [primary, standby])).toBe("standby");
    expect(await where("prefer-standby", [primary, standby])).toBe("standby");
    expect(await where("prefer-standby", [{ host: "127.0.0.1", port: 1 }, primary])).toBe("primary");
    const { code, message } = await refused(log(resource([NOBODY, standby], { targetSessionAttrs: "primary" })));
    expect({ code, message }).toEqual({
      code: "unavailable",
      message: "No host of the resource shop will do: 1. cannot be reached (ECONNREFUSED); 2. is a standby.",
    });
  });

  test("a primary that is read-only by default does not accept writes", async () => {
    await pair.primary.query("alter role scram set default_transaction_read_only = on");
    try {
      const where = (target: UpstreamPart["targetSessionAttrs"]) =>
        log(resource([primary], { targetSessionAttrs: target }));
      expect((await refused(where("read-write"))).message).toContain("read-only by default");
      await where("read-only");
      await where("primary");
    } finally {
      await pair.primary.query("alter role scram reset default_transaction_read_only");
    }
  });

  describe("a certificate", () => {
    const verified = (ca: Authority, name = "127.0.0.1") =>
      resource([{ host: name, port: primary.port }], { tls: "verify-full", ca: ca.pem });

    test.each<[string, () => Promise<ResourcePart>, string]>([
      [
        "of another CA",
        async () => verified(await Authority.create("another CA")),
        "comes from a CA that is not trusted",
      ],
      [
        "for another name",
        async () => {
          await pair.primary.show(await authority.sign(["db.example.com"]));
          return verified(authority);
        },
        "is for another host name",
      ],
      [
        "that has expired",
        async () => {
          await pair.primary.show(await authority.sign(["127.0.0.1"], -24));
          return verified(authority);
        },
        "has expired",
      ],
      [
        "from the future",
        async () => {
          await pair.primary.show(await authority.sign(["127.0.0.1"], 24));
          return verified(authority);
        },
        "is not valid yet",
      ],
    ])("%s is refused, and said to be", async (_what, declared, sentence) => {
      const { message } = await refused(log(await declared()));
      expect(message).toContain(`not trusted: its certificate ${sentence}`);
    });

    test("for another name will do where only its CA is asked for, and any where none is", async () => {
      await pair.primary.show(await authority.sign(["db.example.com"]));
      await log(resource([primary], { tls: "require", ca: authority.pem }));
      await log(resource([primary], { tls: "require" }));
      const other = await Authority.create("another CA");
      expect((await refused(log(resource([primary], { tls: "require", ca: other.pem })))).message).toContain(
        "not trusted",
      );
    });
  });

  test("whoever stands in between and is not asked for a certificate is noticed by channel binding", async () => {
    const own = await (await Authority.create("mallory")).sign(["127.0.0.1"]);
    const mallory = await host((client) => {
      client.once("data", () => {
        client.write("S");
        const secureContext = createSecureContext({ key: own.key, cert: own.certificate });
        const victim = new TLSSocket(client, { isServer: true, secureContext });
        victim.on("error", () => {});
        const server = dial(primary.port, primary.host);
        sockets.push(server);
        server.write(front.sslRequest());
        server.once("data", () => {
          const secured = tlsConnect({ socket: server, rejectUnauthorized: false });
          secured.on("error", () => {});
          victim.pipe(secured).pipe(victim);
        });
      });
    });
    expect((await refused(log(resource([mallory], { tls: "require" })))).message).toContain(
      "refused the enforcer's credential",
    );
    // The same one in between is not noticed where nothing is bound: this is what the binding is for.
    await log(resource([mallory], { tls: "require" }, "cleartext"));
  });
});

describe("a host", () => {
  /** Answers a start-up with `answer(version)`, and closes. */
  const answering = (answer: (version: number) => Uint8Array, versions: number[] = []) =>
    host((socket) =>
      socket.once("data", (startup: Buffer) => {
        versions.push(startup.readInt32BE(4));
        socket.write(answer(startup.readInt32BE(4)));
      }),
    );
  const welcome = Buffer.concat([back.authentication(0), back.key(1, 2), back.ready()]);
  const error = (code: string) => back.error({ S: "FATAL", V: "FATAL", C: code, M: "no" });
  const good = () => answering(() => welcome);

  test.each([
    ["that is starting up", () => answering(() => error("57P03"))],
    ["that closes at once", () => host((socket) => socket.destroy())],
    ["that speaks something else", () => host((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))],
  ])("%s is passed over", async (_what, bad) => {
    const hosts = [await bad(), await good()];
    expect((await log(resource(hosts))).host).toEqual(hosts[1]);
  });

  test.each([
    ["that refuses the credential", "28P01", "credential"],
    ["that is full", "53300", "no connection left"],
  ])("%s is the end of it, as for libpq", async (_what, code, sentence) => {
    const hosts = [await answering(() => error(code)), await good()];
    expect((await refused(log(resource(hosts)))).message).toContain(sentence);
  });

  test("that offers no TLS where TLS must be", async () => {
    const plain = await host((socket) => socket.once("data", () => socket.write("N")));
    expect((await refused(log(resource([plain], { tls: "require" })))).message).toContain("offers no TLS");
  });

  test("that never heard of protocol 3.2 is asked in 3.0", async () => {
    const versions: number[] = [];
    const pooler = await answering((version) => (version === 0x30000 ? welcome : error("08P01")), versions);
    expect((await log(resource([pooler]))).ready.cancelKey).toHaveLength(8);
    expect(versions).toEqual([0x30002, 0x30000]);
  });

  test("that is down is dialled once, not by everybody", async () => {
    let dialled = 0;
    const down = await host((socket) => {
      dialled++;
      socket.destroy();
    });
    const upstreams = new Upstreams({ ...systemClock, now: () => 0 });
    await refused(log(resource([down]), {}, upstreams));
    const told = await Promise.all(Array.from({ length: 50 }, () => refused(log(resource([down]), {}, upstreams))));
    expect(told.every(({ code }) => code === "unavailable")).toBe(true);
    expect(dialled).toBe(1);
  });
});
