import { createHash } from "node:crypto";
import fc from "fast-check";
import type { UpstreamLoginOptions, UpstreamLoginStep } from "../../protocol.js";
import { postgres } from "../protocol.js";
import { back, taken } from "../wire.fixture.js";
import { parseScramVerifier, readClientFirst, ScramServer, scramVerifier } from "./scram.js";

const options: UpstreamLoginOptions = {
  username: "app_owner",
  password: "real password",
  database: "shop",
  tls: "disable",
  settings: new Map([["application_name", "ci"]]),
  nonce: Buffer.from("nonce"),
  target: "any",
  oldest: false,
};
const login = (changed: Partial<UpstreamLoginOptions> = {}) => postgres.upstreamLogin({ ...options, ...changed });
const started = (changed: Partial<UpstreamLoginOptions> = {}) => {
  const machine = login(changed);
  machine.start();
  return machine;
};
const sent = (steps: readonly UpstreamLoginStep[]) =>
  Buffer.concat(steps.map((step) => (step.kind === "send" ? step.bytes : Buffer.alloc(0))));
const password = (steps: readonly UpstreamLoginStep[]) => taken(sent(steps))[0]?.body;
const failure = (steps: readonly UpstreamLoginStep[]) => {
  const last = steps.at(-1);
  if (last?.kind !== "failed") throw new Error("it did not fail");
  return last.refusal;
};
const fault = (steps: readonly UpstreamLoginStep[]) => {
  const last = steps.at(-1);
  return last?.kind === "failed" ? last.fault : last?.kind;
};
const end = Buffer.concat([
  back.authentication(0),
  back.parameter("server_version", "18.1"),
  back.key(42, 7),
  back.ready(),
]);

describe("the login upstream", () => {
  test("start-up: what was asked for, UTF-8 and standard strings always", () => {
    const [step] = login({ settings: new Map([["standard_conforming_strings", "off"]]) }).start();
    expect(step?.kind === "send" && Buffer.from(step.bytes).toString("latin1", 8)).toBe(
      "user\0app_owner\0database\0shop\0client_encoding\0UTF8\0standard_conforming_strings\0on\0transform_null_equals\0off\0\0",
    );
  });

  test("the newest version is asked for, unless the server would not have it", () => {
    const version = (oldest: boolean) => sent(login({ oldest }).start()).readInt32BE(4).toString(16);
    expect([version(false), version(true)]).toEqual(["30002", "30000"]);
  });

  test("a server of an older version says so and goes on; one that never heard of it is told in the old one", () => {
    expect(fault(started().receive(Buffer.concat([back.negotiate(0x30000), end])))).toBe("ready");
    for (const wrong of [back.negotiate(0x30003), back.negotiate(0x20000), back.negotiate(0x30000, "_pq_.x")]) {
      expect(fault(started().receive(Buffer.concat([wrong, end])))).toBe("passing");
    }
    const unknown = back.error({ S: "FATAL", C: "08P01", M: "unsupported protocol version 3.2" });
    expect(fault(started().receive(unknown))).toBe("version");
    expect(fault(started({ oldest: true }).receive(unknown))).toBe("refused");
    expect(fault(started().receive(Buffer.concat([back.authentication(3), unknown])))).toBe("refused");
  });

  test.each([
    [4, "ready"],
    [32, "ready"],
    [256, "ready"],
    [0, "passing"],
    [257, "passing"],
  ])("a key with a secret of %d bytes: %s", (length, outcome) => {
    const key = back.key(42, Buffer.alloc(length, 1));
    const steps = started().receive(Buffer.concat([back.authentication(0), key, back.ready()]));
    expect(fault(steps)).toBe(outcome);
    const [step] = steps;
    if (step?.kind === "ready") expect(step.upstream.cancelKey).toHaveLength(4 + length);
  });

  test.each<[UpstreamLoginOptions["target"], string]>([
    // standby and read-only by default; standby; primary but read-only by default; primary that accepts writes
    ["any", "ready ready ready ready"],
    ["standby", "ready ready unsuited unsuited"],
    ["primary", "unsuited unsuited ready ready"],
    ["read-only", "ready ready ready unsuited"],
    ["read-write", "unsuited unsuited unsuited ready"],
  ])("what must be %s: %s", (target, outcomes) => {
    const servers = [
      ["on", "on"],
      ["on", "off"],
      ["off", "on"],
      ["off", "off"],
    ] as const;
    const says = ([standby, readOnly]: (typeof servers)[number]) =>
      Buffer.concat([
        back.authentication(0),
        back.parameter("in_hot_standby", standby),
        back.parameter("default_transaction_read_only", readOnly),
        back.ready(),
      ]);
    expect(servers.map((server) => fault(started({ target }).receive(says(server)))).join(" ")).toBe(outcomes);
  });

  test("what the client asked for does not make a server read-only; one that says nothing is not what must be", () => {
    const settings = new Map([["Default_Transaction_Read_Only", "on"]]);
    const says = [back.parameter("in_hot_standby", "off"), back.parameter("default_transaction_read_only", "on")];
    const bytes = Buffer.concat([back.authentication(0), ...says, back.ready()]);
    expect(fault(started({ target: "read-write", settings }).receive(bytes))).toBe("ready");
    expect(failure(started({ target: "primary" }).receive(end)).message).toContain("does not say");
  });

  test.each([[1], [4], [10_000]])("ready, in chunks of %d bytes; what follows is kept", (cut) => {
    const machine = started();
    const bytes = Buffer.concat([end, back.notice({ M: "hi" })]);
    const steps: UpstreamLoginStep[] = [];
    let fed = 0;
    for (; fed < bytes.length && !steps.length; fed += cut)
      steps.push(...machine.receive(bytes.subarray(fed, fed + cut)));
    const [ready] = steps;
    if (ready?.kind !== "ready") throw new Error("not ready");
    expect([...ready.upstream.parameters]).toEqual([["server_version", "18.1"]]);
    expect(Buffer.from(ready.upstream.cancelKey).toString("hex")).toBe("0000002a00000007");
    expect(Buffer.concat([ready.upstream.rest, bytes.subarray(fed)])).toEqual(back.notice({ M: "hi" }));
  });

  test("cleartext and MD5", () => {
    expect(password(started().receive(back.authentication(3)))).toBe("real password\0");
    const salt = Buffer.from([1, 2, 3, 4]);
    const md5 = (data: Uint8Array) => createHash("md5").update(data).digest("hex");
    const expected = md5(Buffer.concat([Buffer.from(md5(Buffer.from("real passwordapp_owner"))), salt]));
    expect(password(started().receive(back.authentication(5, salt)))).toBe(`md5${expected}\0`);
  });

  const ENDPOINT = Buffer.from("the certificate's hash");
  const PLUS = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
  /** With TLS where `seen` is the certificate that the client was shown; the server's own is always `ENDPOINT`. */
  const scram = (
    known: string,
    finish: (signature: string) => Buffer[],
    { seen = null as Uint8Array | null, offered = PLUS } = {},
  ) => {
    const machine = seen ? login({ tls: "require" }) : started();
    if (seen) {
      machine.start();
      machine.receive(Buffer.from("S"));
      machine.tlsStarted(seen);
    }
    const answer = password(machine.receive(back.authentication(10, Buffer.from(offered)))) ?? "";
    // The mechanism's name and its end, four bytes of length, the text.
    const nul = answer.indexOf("\0");
    const own = seen ? ENDPOINT : null;
    const server = new ScramServer(
      readClientFirst(answer.slice(0, nul), answer.slice(nul + 5), own),
      parseScramVerifier(scramVerifier(known, Buffer.from("salt"), 2)),
      Buffer.from("server"),
      own,
    );
    const proof = password(machine.receive(back.authentication(11, Buffer.from(server.challenge)))) ?? "";
    const signature = server.finish(proof);
    return machine.receive(Buffer.concat(finish(signature)));
  };

  test("SCRAM-SHA-256: the server has to prove itself too", () => {
    const final = (signature: string) => back.authentication(12, Buffer.from(signature));
    expect(scram("real password", (signature) => [final(signature), end]).at(-1)?.kind).toBe("ready");
    expect(failure(scram("real password", () => [final("v=AAAA"), end])).message).toContain("did not prove");
    expect(failure(scram("real password", () => [end])).message).toContain("did not prove");
  });

  test("SCRAM-SHA-256-PLUS where both sides can, bound to the certificate that was seen", () => {
    const ready = (signature: string) => [back.authentication(12, Buffer.from(signature)), end];
    expect(fault(scram("real password", ready, { seen: ENDPOINT }))).toBe("ready");
    expect(() => scram("real password", ready, { seen: Buffer.from("another's") })).toThrow("channel binding");
  });

  test("an offer that somebody took out is noticed by the server", () => {
    const ready = (signature: string) => [back.authentication(12, Buffer.from(signature)), end];
    expect(() => scram("real password", ready, { seen: ENDPOINT, offered: "SCRAM-SHA-256\0\0" })).toThrow("in between");
  });

  test("a second proof is not given", () => {
    const machine = started();
    machine.receive(back.authentication(10, Buffer.from(PLUS)));
    const steps = machine.receive(back.authentication(3));
    expect(failure(steps).message).toContain("does not speak");
    expect(sent(steps)).toHaveLength(0);
  });

  test("TLS: asked for, and never done without", () => {
    const machine = login({ tls: "require" });
    expect(sent(machine.start()).toString("hex")).toBe("0000000804d2162f");
    expect(machine.receive(Buffer.from("S"))).toEqual([{ kind: "start-tls" }]);
    expect(machine.tlsStarted(null)[0]?.kind).toBe("send");
    for (const answer of ["N", "E", "S\x52", "x"]) {
      const other = login({ tls: "verify-full" });
      other.start();
      expect(failure(other.receive(Buffer.from(answer))).code).toBe("unavailable");
    }
  });

  test.each([
    ["28P01", "credential"],
    ["28000", "credential"],
    ["3D000", 'no database "shop"'],
    ["53300", "no connection left"],
    ["57P03", "starting up"],
    ["22023", "start-up setting"],
    ["XX000", "XX000"],
    ["bad\nap", "unknown"],
  ])("%s is told without the server's words", (code, said) => {
    const told = back.error({
      S: "FATAL",
      V: "FATAL",
      C: code,
      M: 'password authentication failed for user "app_owner"',
      D: "real password",
    });
    const refusal = failure(started().receive(told));
    expect(refusal).toMatchObject({ code: "unavailable" });
    expect(refusal.message).toContain(said);
    expect(JSON.stringify(refusal)).not.toMatch(/app_owner|real password|bad/);
  });

  test.each([
    ["57P03", "passing"],
    ["57P01", "passing"],
    ["28P01", "refused"],
    ["53300", "refused"],
    ["22023", "refused"],
  ])("whether another try may help, by %s: %s", (code, expected) => {
    expect(fault(started().receive(back.error({ S: "FATAL", C: code, M: "no" })))).toBe(expected);
  });

  test("ready however it is cut", () => {
    const bytes = Buffer.concat([back.negotiate(0x30000), back.notice({ M: "hi" }), end]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        const machine = started();
        const steps: UpstreamLoginStep[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] as number;
          steps.push(...machine.receive(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(steps.map(({ kind }) => kind)).toEqual(["ready"]);
      }),
      { numRuns: 50 },
    );
  });

  test("whatever a server sends, the login ends or waits and the password is nowhere in what is told", () => {
    const pieces = fc.oneof(
      fc.constantFrom(...[0, 3, 10, 11, 12].map((method) => back.authentication(method)), back.ready(), back.key(1, 2)),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), (chunks) => {
        const machine = started();
        for (const chunk of chunks) {
          for (const step of machine.receive(chunk)) {
            if (step.kind === "failed") expect(JSON.stringify(step)).not.toContain("real password");
            if (step.kind === "ready") expect(Buffer.concat(chunks).includes(back.authentication(0))).toBe(true);
          }
        }
      }),
    );
  });
});
