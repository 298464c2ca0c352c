import fc from "fast-check";
import type { ClientLogin, ClientLoginOptions, ClientLoginStep, UpstreamReady } from "../../protocol.js";
import { postgres } from "../protocol.js";
import { errorFields, front, taken, types } from "../wire.fixture.js";
import { ScramClient } from "./scram.js";

const options: ClientLoginOptions = {
  tls: false,
  allowPlaintext: true,
  nonce: Buffer.from("a nonce of the server"),
  mockKey: Buffer.from("a key that stays the same all the time"),
};
const login = (changed: Partial<ClientLoginOptions> = {}) => postgres.clientLogin({ ...options, ...changed });
const hello = { user: "foil_abc", database: "shop" };
const verifier = postgres.verifier("secret", Buffer.from("16 bytes of salt"));
const sent = (steps: readonly ClientLoginStep[]) =>
  Buffer.concat(steps.map((step) => (step.kind === "send" || step.kind === "refuse" ? step.bytes : Buffer.alloc(0))));
const kinds = (steps: readonly ClientLoginStep[]) => steps.map(({ kind }) => kind);
const refusal = (steps: readonly ClientLoginStep[]) => {
  const last = steps.at(-1);
  if (last?.kind !== "refuse") throw new Error(`not refused: ${kinds(steps)}`);
  return errorFields(taken(last.bytes).at(-1)?.body ?? "");
};
const sasl = (bytes: Uint8Array) =>
  Buffer.from(taken(bytes).at(-1)?.body ?? "", "latin1")
    .subarray(4)
    .toString();

const upstream: UpstreamReady = {
  parameters: new Map([["server_version", "18"]]),
  cancelKey: Buffer.concat([Buffer.from([0, 0, 4, 210]), Buffer.alloc(32, 9)]),
  rest: Buffer.alloc(0),
};
const random = Buffer.from(Array.from({ length: 32 }, (_, index) => index));

/** A whole login, in chunks of `cut` bytes each, or cut as the function says. */
function run(
  machine: ClientLogin,
  password: string,
  known: boolean,
  cut: number | (() => number) = 10_000,
  startup = front.startup(hello),
) {
  const steps: ClientLoginStep[] = [];
  const send = (bytes: Buffer) => {
    const before = steps.length;
    for (let at = 0, next = 0; at < bytes.length; at = next) {
      next = at + (typeof cut === "number" ? cut : cut());
      steps.push(...machine.receive(bytes.subarray(at, next)));
    }
    if (steps.some(({ kind }) => kind === "lookup")) steps.push(...machine.verify(known ? verifier : null));
    return sent(steps.slice(before));
  };
  const client = new ScramClient(password, Buffer.from("client"));
  send(startup);
  const challenge = sasl(send(front.saslInitial("SCRAM-SHA-256", client.first)));
  const final = send(front.sasl(client.answer(challenge)));
  return { steps, final, client };
}

describe("a client's login", () => {
  test.each([[10_000], [1], [3], [7]])("is verified, in chunks of %d bytes", (cut) => {
    const machine = login();
    const { steps, final, client } = run(machine, "secret", true, cut);
    expect(client.proves(sasl(final))).toBe(true);
    expect(steps.at(-1)).toEqual({
      kind: "verified",
      hello: { tokenId: "abc", database: "shop", application: "", settings: new Map() },
    });
    expect(types(machine.welcome(upstream, random).bytes)).toBe("RSKZ");
  });

  test("is verified however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        let index = 0;
        const { steps } = run(login(), "secret", true, () => sizes[index++ % sizes.length] as number);
        expect(kinds(steps)).toEqual(["send", "lookup", "send", "send", "verified"]);
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    [0x30000, 4],
    [0x30001, 4],
    [0x30002, 32],
    [0x30009, 32],
  ])("of version %x is given the server's process id and %d bytes of its own to cancel with", (version, length) => {
    const machine = login();
    run(machine, "secret", true, 10_000, front.startup(hello, version));
    const { bytes, cancelKey } = machine.welcome(upstream, random);
    const expected = Buffer.concat([Buffer.from([0, 0, 4, 210]), random.subarray(0, length)]);
    expect(Buffer.from(cancelKey)).toEqual(expected);
    expect(taken(bytes)[2]).toEqual({ type: "K", body: expected.toString("latin1") });
  });

  test("an unknown token and a wrong secret get the same messages and the same end", () => {
    const wrong = run(login(), "wrong", true);
    const unknown = run(login(), "wrong", false);
    expect(kinds(unknown.steps)).toEqual(kinds(wrong.steps));
    expect(refusal(unknown.steps)).toEqual(refusal(wrong.steps));
    expect(refusal(wrong.steps)).toMatchObject({ S: "FATAL", C: "28P01" });
    expect(sent(unknown.steps)).toHaveLength(sent(wrong.steps).length);
  });

  test("the verifier may come after the client's first message", () => {
    const machine = login();
    const client = new ScramClient("secret", Buffer.from("client"));
    machine.receive(front.startup(hello));
    expect(machine.receive(front.saslInitial("SCRAM-SHA-256", client.first))).toEqual([]);
    const challenge = sasl(sent(machine.verify(verifier)));
    expect(kinds(machine.receive(front.sasl(client.answer(challenge))))).toEqual(["send", "verified"]);
  });

  test("a proof sent before the challenge is refused, whole or cut", () => {
    const first = front.saslInitial("SCRAM-SHA-256", new ScramClient("secret", Buffer.from("client")).first);
    const early = front.sasl("c=biws,r=early,p=AAAA");
    for (const pieces of [
      [front.startup(hello), first, early],
      [Buffer.concat([front.startup(hello), first, early])],
    ]) {
      const machine = login();
      const steps = pieces.flatMap((piece) => [...machine.receive(piece)]);
      expect(kinds(steps)).toEqual(["send", "lookup"]);
      expect(refusal(machine.verify(verifier)).C).toBe("08P01");
    }
  });

  test("what follows the login is kept for the conversation", () => {
    const machine = login();
    const client = new ScramClient("secret", Buffer.from("client"));
    machine.receive(front.startup(hello));
    machine.verify(verifier);
    const challenge = sasl(sent(machine.receive(front.saslInitial("SCRAM-SHA-256", client.first))));
    machine.receive(Buffer.concat([front.sasl(client.answer(challenge)), front.query("SELECT 1")]));
    expect(Buffer.from(machine.surplus())).toEqual(front.query("SELECT 1"));
    expect(machine.surplus()).toHaveLength(0);
  });
});

describe("TLS", () => {
  test("is answered, then started", () => {
    const machine = login({ tls: true, allowPlaintext: false });
    expect(machine.receive(front.sslRequest())).toEqual([
      { kind: "send", bytes: Buffer.from("S") },
      { kind: "start-tls", received: Buffer.alloc(0) },
    ]);
    expect(machine.tlsStarted({ endpoint: Buffer.from("hash"), alpn: "" })).toEqual([]);
    const mechanisms = taken(sent(machine.receive(front.startup(hello))))[0]?.body;
    expect(mechanisms).toBe("\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
  });

  describe("first of all", () => {
    const clientHello = Buffer.from("16030100050100000100", "hex");
    const begun = () => {
      const machine = login({ tls: true, allowPlaintext: false });
      expect(machine.receive(clientHello)).toEqual([{ kind: "start-tls", received: clientHello }]);
      return machine;
    };

    test("is taken, where the client says what it wants to speak in it", () => {
      const machine = begun();
      expect(machine.tlsStarted({ endpoint: null, alpn: "postgresql" })).toEqual([]);
      expect(kinds(machine.receive(front.startup(hello)))).toContain("lookup");
    });

    test.each([[""], ["h2"]])("is refused with the reason where it says %j", (alpn) => {
      expect(refusal(begun().tlsStarted({ endpoint: null, alpn }))).toMatchObject({
        C: "0A000",
        M: expect.stringContaining("ALPN"),
      });
    });

    test("is noticed by its first byte", () => {
      const steps = login({ tls: true }).receive(clientHello.subarray(0, 1));
      expect(steps).toEqual([{ kind: "start-tls", received: clientHello.subarray(0, 1) }]);
    });

    test("is nothing to somebody who has none, nor inside itself, nor after something else", () => {
      expect(refusal(login().receive(clientHello))).toMatchObject({ C: "08P01" });
      const inside = begun();
      inside.tlsStarted({ endpoint: null, alpn: "postgresql" });
      expect(refusal(inside.receive(clientHello))).toMatchObject({ C: "08P01" });
      const later = login({ tls: true });
      later.receive(front.gssRequest());
      expect(refusal(later.receive(clientHello))).toMatchObject({ C: "08P01" });
    });

    test("carries cancel requests", () => {
      const machine = begun();
      machine.tlsStarted({ endpoint: null, alpn: "postgresql" });
      expect(kinds(machine.receive(front.cancelRequest(Buffer.alloc(36))))).toEqual(["cancel"]);
    });
  });

  describe("with channel binding", () => {
    const endpoint = Buffer.from("the certificate's hash");
    const secured = () => {
      const machine = login({ tls: true });
      machine.receive(front.sslRequest());
      machine.tlsStarted({ endpoint, alpn: "" });
      machine.receive(front.startup(hello));
      machine.verify(verifier);
      return machine;
    };
    const proof = (machine: ClientLogin, mechanism: string, client: ScramClient) => {
      const first = machine.receive(front.saslInitial(mechanism, client.first));
      return kinds(first).includes("refuse") ? first : machine.receive(front.sasl(client.answer(sasl(sent(first)))));
    };
    const nonce = Buffer.from("client");

    test("the hash of the certificate the client saw must be ours", () => {
      const bound = (seen: Buffer) =>
        new ScramClient("secret", nonce, { gs2: "p=tls-server-end-point,,", endpoint: seen });
      expect(kinds(proof(secured(), "SCRAM-SHA-256-PLUS", bound(endpoint)))).toContain("verified");
      const other = proof(secured(), "SCRAM-SHA-256-PLUS", bound(Buffer.from("another's")));
      expect(refusal(other)).toMatchObject({ C: "28P01" });
    });

    test("a client that would have bound but was told it could not has somebody in between", () => {
      expect(
        refusal(proof(secured(), "SCRAM-SHA-256", new ScramClient("secret", nonce, { gs2: "y,," }))),
      ).toMatchObject({
        M: expect.stringContaining("in between"),
      });
    });

    test("a client that cannot is let in", () => {
      expect(kinds(proof(secured(), "SCRAM-SHA-256", new ScramClient("secret", nonce)))).toContain("verified");
    });
  });

  test("bytes that follow the request unencrypted are refused, in one chunk or in two", () => {
    const together = login({ tls: true });
    expect(refusal(together.receive(Buffer.concat([front.sslRequest(), front.startup(hello)])))).toMatchObject({
      C: "08P01",
    });
    expect(together.surplus()).toHaveLength(0);
    const apart = login({ tls: true });
    apart.receive(front.sslRequest());
    expect(refusal(apart.receive(Buffer.from("x")))).toMatchObject({ C: "08P01" });
    expect(apart.surplus()).toHaveLength(0);
  });

  test("a login without it is refused where it is offered", () => {
    expect(refusal(login({ tls: true, allowPlaintext: false }).receive(front.startup(hello)))).toMatchObject({
      C: "28000",
    });
  });

  test("is said not to be there where it is not; so is GSSAPI", () => {
    const machine = login();
    expect(sent(machine.receive(Buffer.concat([front.gssRequest(), front.sslRequest()]))).toString()).toBe("NN");
    expect(kinds(machine.receive(front.startup(hello)))).toContain("lookup");
  });
});

describe("start-up", () => {
  test.each([
    ["a user that is no token", { user: "postgres" }, "28000", "foil_"],
    ["a whole token as user", { user: "foil_abc_secret" }, "28000", "foil_"],
    ["no user", {}, "28000", "foil_"],
    ["replication", { ...hello, replication: "database" }, "0A000", "replication"],
    [
      "a setting that is not harmless",
      { ...hello, session_preload_libraries: "x" },
      "0A000",
      "session_preload_libraries",
    ],
    ["a role", { ...hello, role: "admin" }, "0A000", "role"],
    ["how strings are read", { ...hello, standard_conforming_strings: "off" }, "0A000", "standard_conforming_strings"],
    [
      "such a setting among options",
      { ...hello, options: "-c search_path=a -c row_security=off" },
      "0A000",
      "row_security",
    ],
    ["options that are no settings", { ...hello, options: "-p 5" }, "0A000", "options"],
    ["an encoding with ASCII in its tails", { ...hello, client_encoding: "SJIS" }, "0A000", "SJIS"],
  ])("%s is refused with its reason", (_what, parameters, code, said) => {
    const fields = refusal(login().receive(front.startup(parameters)));
    expect(fields).toMatchObject({ S: "FATAL", V: "FATAL", C: code });
    expect(`${fields.M} ${fields.H ?? ""}`).toContain(said);
  });

  test("harmless settings are passed on, in whatever case", () => {
    const parameters = {
      ...hello,
      DateStyle: "ISO",
      client_encoding: "'utf-8'",
      options: "-c search_path=a\\ b --lock-timeout=5s",
      replication: "false",
    };
    const { steps } = run(login(), "secret", true, 10_000, front.startup(parameters));
    expect(steps.at(-1)).toMatchObject({
      hello: {
        settings: new Map([
          ["DateStyle", "ISO"],
          ["client_encoding", "'utf-8'"],
          ["search_path", "a b"],
          ["lock_timeout", "5s"],
        ]),
      },
    });
  });

  test("a database named like the user is none: clients send it where they are told nothing", () => {
    const { steps } = run(login(), "secret", true, 10_000, front.startup({ user: "foil_abc", database: "foil_abc" }));
    expect(steps.at(-1)).toMatchObject({ hello: { database: "" } });
  });

  test.each([
    ["3.2", 0x30002, {}, ""],
    ["3.9", 0x30009, {}, "v\0\x03\0\x02\0\0\0\0"],
    ["a protocol option", 0x30000, { "_pq_.x": "1" }, "v\0\x03\0\0\0\0\0\x01_pq_.x\0"],
  ])("%s is negotiated", (_what, version, extra, negotiated) => {
    const messages = taken(sent(login().receive(front.startup({ ...hello, ...extra }, version))));
    expect(messages.map(({ type, body }) => (type === "v" ? type + body : "")).join("")).toBe(negotiated);
    expect(messages.at(-1)?.type).toBe("R");
  });

  test("protocol 2 is refused", () => {
    expect(refusal(login().receive(front.startup(hello, 0x20000)))).toMatchObject({ C: "0A000" });
  });
});

describe("cancel requests", () => {
  test.each([[8], [36], [260]])("with a key of %d bytes", (length) => {
    const key = Buffer.alloc(length, 7);
    expect(login({ tls: true, allowPlaintext: false }).receive(front.cancelRequest(key))).toEqual([
      { kind: "cancel", key: Uint8Array.from(key) },
    ]);
  });

  test("with a key too long", () => {
    expect(refusal(login().receive(front.cancelRequest(Buffer.alloc(261))))).toMatchObject({ C: "08P01" });
  });
});

test("whatever bytes come, in whatever pieces, nobody is verified and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), fc.boolean(), (chunks, begun) => {
      const machine = login();
      if (begun) {
        machine.receive(front.startup(hello));
        machine.verify(verifier);
      }
      for (const chunk of chunks) expect(kinds(machine.receive(chunk))).not.toContain("verified");
    }),
    { numRuns: 300 },
  );
});
