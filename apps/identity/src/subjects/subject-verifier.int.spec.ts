import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import type { IssuerDefinition } from "../domain/issuer.js";
import { LocalIssuer } from "./issuer.fixture.js";
import { IssuerKeys } from "./issuer-keys.js";
import { SubjectVerifier } from "./subject-verifier.js";

const JWT = "urn:ietf:params:oauth:token-type:jwt";
let issuer: LocalIssuer;
beforeEach(async () => {
  issuer = await LocalIssuer.start();
  await issuer.addKey();
});
afterEach(() => issuer.stop());

const verifier = (changes: Partial<IssuerDefinition> = {}) => {
  const definition = issuer.definition(changes);
  const issuers = { byUrl: async (url: string) => (url === definition.url ? definition : null) };
  return new SubjectVerifier(issuers, new IssuerKeys({ cooldownMs: 0 }));
};
const now = () => Math.floor(Date.now() / 1000);
const part = (value: object | string) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** The reason of the refusal; it must not quote the token. */
async function reasonOf(token: string, by = verifier(), type = JWT): Promise<string | undefined> {
  const error = await by.verify(token, type).then(
    () => null,
    (e: unknown) => e,
  );
  const { code, message, details } = error as { code?: string; message?: string; details?: Record<string, string> };
  for (const piece of token.split(".").filter((it) => it.length > 8)) expect(message).not.toContain(piece);
  expect(code).toBe("invalid");
  return details?.reason;
}

test("a good token says who acts, and until when", async () => {
  const exp = now() + 120;
  const token = await issuer.token({ exp, groups: ["dev"], run: "42", sub: "repo:shop" });
  const { principal, expiresAt } = await verifier().verify(token, JWT);
  expect(principal).toMatchObject({ id: "ci|repo:shop", groups: ["dev"], run: "42" });
  expect(expiresAt).toEqual(new Date(exp * 1000));
});

test("of an issuer whose tokens are exchanged once, it says which it is; others may be without an id", async () => {
  const once = verifier({ exchangeOnce: true });
  expect((await once.verify(await issuer.token({ jti: "t-1" }), JWT)).onceBy).toBe("t-1");
  for (const jti of [undefined, "", "x".repeat(513), ["t-1"]]) {
    expect(await reasonOf(await issuer.token({ jti }), once)).toMatch(/^(jti|claim)$/);
  }
  expect((await verifier().verify(await issuer.token({ jti: "t-1" }), JWT)).onceBy).toBe("");
});

test("a refusal says whose word it is about, and of the token only what its issuer has signed", async () => {
  const detailsOf = (token: string, by = verifier()) =>
    by.verify(token, JWT).catch(({ details }: { details: object }) => details);
  const said = { sub: "repo:shop", jti: "t-7" };
  const signed = { issuer: "ci", subject: "repo:shop", subject_token_id: "t-7" };
  const unproven = { issuer: "ci", subject: "", subject_token_id: "" };
  expect(await detailsOf(await issuer.token({ ...said, aud: "else" }))).toEqual({ reason: "audience", ...signed });
  expect(await detailsOf(await issuer.token({ ...said, exp: now() - 120 }))).toEqual({ reason: "expired", ...signed });
  const required = verifier({ requiredClaims: { repository: "shop" } });
  expect(await detailsOf(await issuer.token(said), required)).toEqual({ reason: "required_claim", ...signed });
  const [head, , signature] = (await issuer.token()).split(".");
  const body = (await issuer.token({ ...said, aud: "else" })).split(".")[1];
  expect(await detailsOf(`${head}.${body}.${signature}`)).toEqual({ reason: "signature", ...unproven });
  expect(await detailsOf(await issuer.token({ aud: "else", sub: "a\nb", jti: 7 }))).toMatchObject(unproven);
});

test.each(["RS256", "PS256", "EdDSA"])("%s is accepted by default", async (alg) => {
  const key = await issuer.addKey(alg);
  await expect(verifier().verify(await issuer.token({}, {}, key), JWT)).resolves.toBeDefined();
});

test("keys are fetched once for many tokens", async () => {
  const by = verifier();
  for (let i = 0; i < 5; i++) await by.verify(await issuer.token(), JWT);
  expect(issuer.requests).toEqual(["/.well-known/openid-configuration", "/jwks"]);
});

test("a jwks_uri makes discovery unnecessary", async () => {
  await verifier({ jwksUri: `${issuer.url}/jwks` }).verify(await issuer.token(), JWT);
  expect(issuer.requests).toEqual(["/jwks"]);
});

test("a rotated key is found, and the one taken back is no longer believed", async () => {
  const by = verifier();
  const old = await issuer.token();
  await by.verify(old, JWT);
  issuer.keys.shift();
  const key = await issuer.addKey();
  await by.verify(await issuer.token({}, {}, key), JWT);
  expect(await reasonOf(old, by)).toBe("signature");
});

test("a token that names no key is tried with each that fits", async () => {
  await issuer.addKey();
  const third = await issuer.addKey();
  await expect(verifier().verify(await issuer.token({}, { kid: undefined }, third), JWT)).resolves.toBeDefined();
  issuer.keys.pop();
  expect(await reasonOf(await issuer.token({}, { kid: undefined }, third))).toBe("signature");
});

test.each<[string, Record<string, unknown>]>([
  ["expired", { exp: now() - 3600 }],
  ["expiry", { exp: undefined }],
  ["expiry", { exp: "tomorrow" }],
  ["not_yet_valid", { nbf: now() + 3600 }],
  ["iat", { iat: now() + 3600, exp: now() + 7200 }],
  ["audience", { aud: "other" }],
  ["audience", { aud: undefined }],
  ["audience", { aud: ["a", "b"] }],
  ["untrusted_issuer", { iss: "https://other.example.org" }],
  ["untrusted_issuer", { iss: undefined }],
  ["untrusted_issuer", { iss: 7 }],
  ["untrusted_issuer", { iss: "https://a.example.org/\u0000" }],
  ["subject", { sub: undefined }],
])("a token is refused for its %s: %j", async (reason, claims) => {
  expect(await reasonOf(await issuer.token(claims))).toBe(reason);
});

test("a token's audience may be one of several, and clocks may differ a little", async () => {
  const token = await issuer.token({
    aud: ["other", "counterfoil"],
    exp: now() - 10,
    nbf: now() + 10,
    iat: now() + 10 - 20,
  });
  await expect(verifier().verify(token, JWT)).resolves.toBeDefined();
});

test("tampering with any part is found", async () => {
  const [head, , signature] = (await issuer.token()).split(".") as [string, string, string];
  const claims = { iss: issuer.url, aud: "counterfoil", sub: "root", exp: now() + 300 };
  expect(await reasonOf(`${head}.${part(claims)}.${signature}`)).toBe("signature");
  const good = await issuer.token();
  const flipped = good.slice(0, -5) + (good.at(-5) === "A" ? "B" : "A") + good.slice(-4);
  expect(await reasonOf(flipped)).toBe("signature");
});

test("unsigned and HMAC tokens are refused, also signed with the public key", async () => {
  const claims = part({ iss: issuer.url, aud: "counterfoil", sub: "root", exp: now() + 300 });
  for (const alg of ["none", "None", "NONE"]) {
    expect(["algorithm", "malformed"]).toContain(await reasonOf(`${part({ alg, typ: "JWT" })}.${claims}.`));
  }
  const { kid, published } = await issuer.addKey("RS256");
  const pem = createPublicKey({ key: published as JsonWebKey, format: "jwk" }).export({ type: "spki", format: "pem" });
  const signed = `${part({ alg: "HS256", typ: "JWT", kid })}.${claims}`;
  const hmac = createHmac("sha256", pem).update(signed).digest("base64url");
  expect(await reasonOf(`${signed}.${hmac}`)).toBe("algorithm");
});

test("only the issuer's algorithms are accepted", async () => {
  expect(await reasonOf(await issuer.token(), verifier({ algorithms: ["RS256"] }))).toBe("algorithm");
});

test("a token of another issuer's key is refused, whatever it says", async () => {
  const other = await LocalIssuer.start();
  try {
    const key = await other.addKey();
    expect(await reasonOf(await issuer.token({}, {}, key))).toBe("signature");
    expect(await reasonOf(await issuer.token({}, { kid: issuer.keys[0]!.kid }, key))).toBe("signature");
    // Keys a token brings along are no keys.
    const embedded = await issuer.token({}, { jwk: key.published, jku: `${other.url}/jwks`, kid: undefined }, key);
    expect(await reasonOf(embedded)).toBe("signature");
    expect(other.requests).toEqual([]);
  } finally {
    await other.stop();
  }
});

test.each([
  ["", "malformed"],
  ["a.b.c", "malformed"],
  ["a.b", "malformed"],
  [`${part({ alg: "RS256" })}.${part("[]")}.`, "malformed"],
  [`${part({ alg: "RS256" })}.${part("null")}.x`, "malformed"],
  [`${part({ alg: "dir", enc: "A128GCM" })}....`, "malformed"],
  ["x".repeat(16 * 1024 + 1), "too_large"],
])("garbage %# is refused", async (token, reason) => expect(await reasonOf(token)).toBe(reason));

test("a critical header nobody knows is refused", async () => {
  const token = await issuer.token();
  const head = { ...JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString()), crit: ["x"], x: 1 };
  expect(await reasonOf([part(head), ...token.split(".").slice(1)].join("."))).toBe("malformed");
});

test("a token made for another purpose is refused", async () => {
  for (const typ of ["logout+jwt", "dpop+jwt", "secevent+jwt", "kb+jwt"]) {
    expect(await reasonOf(await issuer.token({}, { typ }))).toBe("typ");
  }
  const access = await issuer.token({}, { typ: "application/at+jwt" });
  await expect(verifier().verify(access, "urn:ietf:params:oauth:token-type:access_token")).resolves.toBeDefined();
  expect(await reasonOf(access, verifier(), "urn:ietf:params:oauth:token-type:id_token")).toBe("typ");
  await expect(verifier().verify(await issuer.token({}, { typ: undefined }), JWT)).resolves.toBeDefined();
  expect(await reasonOf(await issuer.token(), verifier(), "urn:ietf:params:oauth:token-type:saml2")).toBe("token_type");
});

describe("an issuer that can't be asked is unavailable, and asked again later:", () => {
  const DISCOVERY = "/.well-known/openid-configuration";
  const json = (body: object) => ({ status: 200, body: JSON.stringify(body) });
  test.each<[string, string, () => { status: number; body: string; headers?: Record<string, string> }]>([
    ["an error", DISCOVERY, () => ({ status: 500, body: "" })],
    ["no JSON", DISCOVERY, () => ({ status: 200, body: "<html>" })],
    ["no object", DISCOVERY, () => ({ status: 200, body: "null" })],
    [
      "a document of another issuer",
      DISCOVERY,
      () => json({ issuer: "https://other", jwks_uri: `${issuer.url}/jwks` }),
    ],
    ["keys over plain http", DISCOVERY, () => json({ issuer: issuer.url, jwks_uri: "http://keys.example.org/" })],
    ["no keys", DISCOVERY, () => json({ issuer: issuer.url })],
    ["a redirect", DISCOVERY, () => ({ status: 302, body: "", headers: { location: `${issuer.url}/x` } })],
    ["an endless document", DISCOVERY, () => ({ status: 200, body: " ".repeat(600 * 1024) })],
    ["a key set's error", "/jwks", () => ({ status: 503, body: "" })],
    ["a key set that is none", "/jwks", () => ({ status: 200, body: "[]" })],
    ["an endless key set", "/jwks", () => ({ status: 200, body: " ".repeat(600 * 1024) })],
    ["a key set's redirect", "/jwks", () => ({ status: 302, body: "", headers: { location: "/x" } })],
  ])("%s", async (_what, path, answer) => {
    const by = verifier();
    issuer.answers.set(path, answer());
    const token = await issuer.token();
    await expect(by.verify(token, JWT)).rejects.toMatchObject({ name: "BusFailure", code: "unavailable" });
    issuer.answers.clear();
    await expect(by.verify(token, JWT)).resolves.toBeDefined();
  });

  test("nobody there", async () => {
    const token = await issuer.token();
    const by = verifier();
    await issuer.stop();
    await expect(by.verify(token, JWT)).rejects.toMatchObject({ code: "unavailable" });
  });
});
