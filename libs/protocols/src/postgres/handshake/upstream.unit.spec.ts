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
};
const login = (changed: Partial<UpstreamLoginOptions> = {}) => postgres.upstreamLogin({ ...options, ...changed });
const started = () => {
  const machine = login();
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
      "user\0app_owner\0database\0shop\0client_encoding\0UTF8\0standard_conforming_strings\0on\0\0",
    );
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

  const scram = (known: string, finish: (signature: string) => Buffer[]) => {
    const machine = started();
    const first =
      password(machine.receive(back.authentication(10, Buffer.from("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")))) ?? "";
    const server = new ScramServer(
      readClientFirst("SCRAM-SHA-256", first.slice(18), null),
      parseScramVerifier(scramVerifier(known, Buffer.from("salt"), 2)),
      Buffer.from("server"),
      null,
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

  test("TLS: asked for, and never done without", () => {
    const machine = login({ tls: "require" });
    expect(sent(machine.start()).toString("hex")).toBe("0000000804d2162f");
    expect(machine.receive(Buffer.from("S"))).toEqual([{ kind: "start-tls" }]);
    expect(machine.tlsStarted()[0]?.kind).toBe("send");
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
