import type { ClientLogin, ClientLoginStep, UpstreamLoginStep } from "#protocols";
import { OPENING } from "../../libs/protocols/src/postgres/codes.js";
import { postgres } from "../../libs/protocols/src/postgres/protocol.js";
import { back, front, taken } from "../../libs/protocols/src/postgres/wire.fixture.js";
import type { Row } from "./table.js";

const VERSIONS = { "3.0": 0x30000, "3.2": 0x30002, "3.9": 0x30009, "2.0": 0x20000 };
const nonce = new Uint8Array(18).fill(1);
const random = new Uint8Array(32).fill(2);
const verifier = postgres.verifier("secret", new Uint8Array(16).fill(3));
const clientLogin = (tls = false) => postgres.clientLogin({ tls, allowPlaintext: true, nonce, mockKey: random });
const upstreamLogin = (oldest: boolean) =>
  postgres.upstreamLogin({
    username: "foil_id",
    password: "secret",
    database: "shop",
    tls: "disable",
    settings: new Map(),
    nonce,
    target: "any",
    oldest,
  });

/** What an enforcer does with what opens a connection, without the bytes. */
const said = (steps: readonly (ClientLoginStep | UpstreamLoginStep)[]): string =>
  steps
    .map((step) => {
      if (step.kind === "send")
        return step.bytes.length === 1
          ? `\`${Buffer.from(step.bytes)}\` is answered`
          : `${messages(step.bytes)} is sent`;
      return STEPS[step.kind];
    })
    .join(", ");
const STEPS = {
  "start-tls": "TLS begins",
  lookup: "the token is looked up",
  verified: "the token's secret is proved",
  cancel: "what runs under the key is cancelled upstream, or a held command withdrawn",
  refuse: "it is refused",
  ready: "the session begins",
  failed: "the login fails",
} as const;
const LETTERS: Readonly<Record<string, string>> = {
  R: "Authentication",
  v: "NegotiateProtocolVersion",
  p: "a SASL response",
  E: "ErrorResponse",
};
const messages = (bytes: Uint8Array) =>
  bytes[0] === 0
    ? "StartupMessage"
    : taken(bytes)
        .map(({ type }) => LETTERS[type] ?? type)
        .join(", ");

const row = (kind: string, understood: string, decided: string, recorded: string): Row => ({
  kind,
  understood,
  decided,
  masked: "passed: no data comes of it",
  recorded,
});

const OPENINGS = {
  SSLRequest: () => said(clientLogin(true).receive(front.sslRequest())),
  "SSLRequest, where there is no certificate": () => said(clientLogin().receive(front.sslRequest())),
  "ClientHello (direct TLS)": () => said(clientLogin(true).receive(Buffer.from([0x16, 3, 1]))),
  GSSENCRequest: () => said(clientLogin().receive(front.gssRequest())),
};

/** What a client begins with, in both versions of the protocol. */
export function openingRows(): Row[] {
  if (Object.keys(OPENING).join() !== "cancel,ssl,gss") throw new Error("a new kind of opening needs a row");
  const openings = Object.entries(OPENINGS).map(([kind, look]) =>
    row(kind, look(), "passed: nobody has asked for anything yet", "passed: with what follows it"),
  );
  const cancels = [8, 36].map((length) =>
    row(
      `CancelRequest, a key of ${length} bytes`,
      said(clientLogin().receive(front.cancelRequest(new Uint8Array(length)))),
      "passed: the key was given to one session only",
      "with the command's end",
    ),
  );
  const startups = Object.entries(VERSIONS).map(([version, code]) => {
    const steps = clientLogin().receive(front.startup({ user: "foil_id", database: "shop" }, code));
    const refused = steps.find((step) => step.kind === "refuse");
    const understood = refused ? `denied: ${refused.refusal.message}` : said(steps);
    return row(
      `StartupMessage, ${version}`,
      understood,
      refused ? understood : "`connect`, once the token is proved",
      "the session's start, or why it was refused",
    );
  });
  const settings = Object.entries({
    replication: "true",
    options: "-c work_mem=1MB",
    client_encoding: "LATIN1",
    client_min_messages: "notice",
  }).map(([name, value]) => {
    const steps = clientLogin().receive(front.startup({ user: "foil_id", [name]: value }));
    const refused = steps.find((step) => step.kind === "refuse");
    const what = refused ? `denied: ${refused.refusal.message}` : "passed on to the server";
    return row(`StartupMessage with \`${name}=${value}\``, what, what, "the session's start, or why it was refused");
  });
  return [...openings, ...cancels, ...startups, ...settings, ...proofs(), ...welcomes()];
}

function proofs(): Row[] {
  const { toServer } = wholeLogin(false);
  return ["SASLInitialResponse", "SASLResponse"].map((kind, at) =>
    row(
      kind,
      said(toServer[at + 1] ?? []),
      "`connect`, once the token is proved",
      "the session's start, or why it was refused",
    ),
  );
}

function welcomes(): Row[] {
  return (["3.0", "3.2"] as const).map((version) => {
    const { login } = wholeLogin(version === "3.0");
    const { bytes } = login.welcome(
      { parameters: new Map(), cancelKey: new Uint8Array(8), rest: new Uint8Array() },
      random,
    );
    const key = taken(bytes).find(({ type }) => type === "K")!;
    return row(
      `BackendKeyData to the client, ${version}`,
      `a key of its own, ${key.body.length} bytes`,
      "passed: the session has been let in",
      "passed: with the session's start",
    );
  });
}

/** Both logins to their end, and what the client's led to, message by message. */
function wholeLogin(oldest: boolean) {
  const [login, client] = [clientLogin(), upstreamLogin(oldest)];
  const toServer: ClientLoginStep[][] = [];
  let sent: readonly UpstreamLoginStep[] = client.start();
  while (sent.length > 0) {
    const [step] = sent;
    const answers = step?.kind === "send" ? answered(login, login.receive(step.bytes)) : [];
    toServer.push(answers);
    sent = client.receive(
      Buffer.concat(answers.map((answer) => (answer.kind === "send" ? answer.bytes : new Uint8Array()))),
    );
  }
  return { login, toServer };
}

function answered(login: ClientLogin, steps: readonly ClientLoginStep[]): ClientLoginStep[] {
  return steps.flatMap((step) =>
    step.kind === "lookup" ? [step, ...answered(login, login.verify(verifier))] : [step],
  );
}

const METHODS = { cleartext: 3, md5: 5, GSS: 7, SSPI: 9, SASL: 10 };

/** What a server says before its first ReadyForQuery: nothing of it reaches the client as it is. */
export function upstreamRows(): Row[] {
  const asked = (message: Buffer, oldest = false) => {
    const login = upstreamLogin(oldest);
    login.start();
    return said(login.receive(message)) || "kept, for the session's start";
  };
  const salt = (method: number) =>
    method === 5 ? Buffer.alloc(4) : method === 10 ? Buffer.from("SCRAM-SHA-256\0\0") : Buffer.alloc(0);
  const rows = [
    ...Object.entries(METHODS).map(
      ([name, method]) => [`Authentication, ${name}`, asked(back.authentication(method, salt(method)))] as const,
    ),
    ["AuthenticationOk", asked(back.authentication(0))] as const,
    ["ParameterStatus", asked(back.parameter("TimeZone", "UTC"))] as const,
    ["BackendKeyData, 3.0", asked(back.key(1, 2), true)] as const,
    ["BackendKeyData, 3.2", asked(back.key(1, new Uint8Array(32)))] as const,
    ["NegotiateProtocolVersion, 3.0", asked(back.negotiate(0x30000))] as const,
    ["NoticeResponse", asked(back.notice({ S: "NOTICE", M: "x" }))] as const,
    ["ErrorResponse", asked(back.error({ S: "FATAL", C: "28P01", M: "x" }))] as const,
    ["ReadyForQuery", asked(Buffer.concat([back.authentication(0), back.ready()]))] as const,
  ];
  return rows.map(([kind, understood]) =>
    row(kind, understood, "passed: it is the enforcer that logs in", "the session's start, or why there is none"),
  );
}
