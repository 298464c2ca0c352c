import { pbkdf2Sync } from "node:crypto";
import fc from "fast-check";
import { target } from "../../../../../test/fuzz/target.js";
import type { ClientLogin, ClientLoginStep, UpstreamLogin, UpstreamLoginStep } from "../../protocol.js";
import { cuts, damaged, parts } from "../damage.fixture.js";
import { postgres } from "../protocol.js";
import { back, front } from "../wire.fixture.js";

const SECRET = "s3cret";
const nonce = new Uint8Array(18).fill(7);
const random = new Uint8Array(32).fill(9);
const verifier = postgres.verifier(SECRET, new Uint8Array(16).fill(1));
const keys = new Map<string, Buffer>();

const clientLogin = (options: { tls: boolean; allowPlaintext: boolean }) =>
  postgres.clientLogin({ ...options, nonce, mockKey: random });
const upstreamLogin = (oldest: boolean, database = "shop") =>
  postgres.upstreamLogin({
    username: "foil_id",
    password: SECRET,
    database,
    tls: "disable",
    settings: new Map(),
    nonce,
    target: "any",
    oldest,
    deriveKey(password, salt, iterations) {
      const key = `${password} ${Buffer.from(salt).toString("hex")} ${iterations}`;
      if (iterations > 10_000) return new Uint8Array(32);
      if (!keys.has(key)) keys.set(key, pbkdf2Sync(password, salt, iterations, 32, "sha256"));
      return keys.get(key)!;
    },
  });

/** Answers a login's questions as the enforcer would. */
function* answered(login: ClientLogin, steps: readonly ClientLoginStep[]): Generator<ClientLoginStep> {
  for (const step of steps) {
    yield step;
    if (step.kind === "lookup") yield* answered(login, login.verify(verifier));
    if (step.kind === "start-tls") yield* answered(login, login.tlsStarted({ endpoint: null, alpn: "" }));
  }
}

const opening = fc.oneof(
  fc.constantFrom(front.sslRequest(), front.gssRequest(), Buffer.from([0x16, 3, 1, 0, 5])),
  fc.uint8Array({ maxLength: 300 }).map((key) => front.cancelRequest(key)),
  fc
    .tuple(
      fc.dictionary(
        fc.constantFrom("user", "database", "options", "replication", "application_name", "_pq_.x", "DateStyle"),
        fc
          .oneof(fc.constantFrom("foil_id", "-c work_mem=1", "true", "\\ "), fc.string({ maxLength: 20 }))
          .map((said) => said.replaceAll("\0", "")),
      ),
      fc.constantFrom(196608, 196610, 196615, 131072, 262144),
    )
    .map(([parameters, version]) => front.startup({ user: "foil_id", ...parameters }, version)),
);
const proof = fc.oneof(
  fc
    .constantFrom("n,,n=,r=abc", "y,,n=,r=abc", "p=tls-server-end-point,,n=,r=abc", "c=biws,r=abc,p=AAAA")
    .chain((text) =>
      fc.constantFrom(
        front.saslInitial("SCRAM-SHA-256", text),
        front.saslInitial("SCRAM-SHA-256-PLUS", text),
        front.sasl(text),
      ),
    ),
  fc.string({ maxLength: 30 }).map((text) => front.sasl(text)),
);

target(
  "login-client",
  "whatever a client begins with, nothing is thrown, nobody is let in unproved, and cuts change nothing",
  300,
  fc.property(
    fc.array(fc.oneof(opening, proof, damaged(fc.oneof(opening, proof))), { maxLength: 6 }),
    fc.record({ tls: fc.boolean(), allowPlaintext: fc.boolean() }),
    cuts,
    (messages, options, points) => {
      const stream = Buffer.concat(messages);
      const run = (data: Iterable<Buffer>) => {
        const login = clientLogin(options);
        return [...data].flatMap((chunk) => [...answered(login, login.receive(chunk))]);
      };
      const whole = run([stream]);
      const ends = whole.filter(({ kind }) => kind === "refuse" || kind === "cancel");
      expect(ends.length).toBeLessThanOrEqual(1);
      expect(whole.map(({ kind }) => kind)).not.toContain("verified");
      // A request for TLS ends what is read as it stands: what follows it in the same piece was not there to wait for.
      if (options.tls) return void run(parts(stream, points));
      expect(run(parts(stream, points))).toEqual(whole);
    },
  ),
);

target(
  "login-upstream",
  "whatever a server answers, nothing is thrown, it is not believed unproved, and cuts change nothing",
  300,
  fc.property(
    fc.array(
      ((message) => fc.oneof({ weight: 5, arbitrary: message }, { weight: 1, arbitrary: damaged(message) }))(
        fc.oneof(
          fc.constantFrom(
            back.authentication(10, Buffer.from("SCRAM-SHA-256\0\0")),
            back.authentication(10, Buffer.from("SCRAM-SHA-256-PLUS\0\0")),
            back.authentication(11, Buffer.from("r=x,s=AAAA,i=4096")),
            back.authentication(12, Buffer.from("v=AAAA")),
            back.authentication(7),
            back.parameter("server_version", "18.0"),
            back.key(7, 8),
            back.ready(),
            back.error({ S: "FATAL", C: "28P01", M: "no" }),
            back.notice({ S: "NOTICE", M: "hello" }),
            back.negotiate(196608),
          ),
          fc.string({ maxLength: 60 }).map((text) => back.authentication(11, Buffer.from(text))),
        ),
      ),
      { maxLength: 8 },
    ),
    fc.boolean(),
    cuts,
    (messages, oldest, points) => {
      // It asks for a proof first, so that it must give one in its turn.
      const stream = Buffer.concat([back.authentication(10, Buffer.from("SCRAM-SHA-256\0\0")), ...messages]);
      const run = (data: Iterable<Buffer>) => {
        const login = upstreamLogin(oldest);
        login.start();
        return [...data].flatMap((chunk) => login.receive(chunk));
      };
      const whole = run([stream]);
      expect(whole.map(({ kind }) => kind)).not.toContain("ready");
      expect(whole.filter(({ kind }) => kind === "failed").length).toBeLessThanOrEqual(1);
      expect(run(parts(stream, points))).toEqual(whole);
    },
  ),
);

target(
  "login-both",
  "the two logins understand each other at any cuts, whatever names and settings they speak of",
  60,
  fc.property(
    fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((name) => !name.includes("\0")),
    fc.boolean(),
    cuts,
    (database, oldest, points) => {
      const client = upstreamLogin(oldest, database);
      const server = clientLogin({ tls: false, allowPlaintext: true });
      const hello = talk(client, server, points);
      expect(hello).toMatchObject({ tokenId: "id", database: database === "foil_id" ? "" : database });
    },
  ),
);

/** Lets them talk to the end: what the server learns of the client, once both are content. */
function talk(client: UpstreamLogin, server: ClientLogin, points: readonly number[]) {
  const upstream = {
    parameters: new Map([["server_version", "18.0"]]),
    cancelKey: new Uint8Array(8),
    rest: new Uint8Array(),
  };
  let hello: unknown;
  let ready = false;
  let toServer: readonly UpstreamLoginStep[] = client.start();
  while (toServer.length > 0) {
    const toClient: Uint8Array[] = [];
    for (const step of toServer) {
      if (step.kind === "ready") ready = true;
      if (step.kind !== "send") continue;
      for (const part of parts(Buffer.from(step.bytes), points)) {
        for (const answer of answered(server, server.receive(part))) {
          if (answer.kind === "send") toClient.push(answer.bytes);
          if (answer.kind === "verified") {
            hello = answer.hello;
            toClient.push(server.welcome(upstream, random).bytes);
          }
        }
      }
    }
    toServer = [...parts(Buffer.concat(toClient), points)].flatMap((part) => client.receive(part));
  }
  return ready ? hello : undefined;
}
