import fc from "fast-check";
import { tokensV1 } from "#contracts";
import { TokenRefused } from "./token-error.js";
import { readTokenRequest } from "./token-request.js";

const FORM = {
  grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
  subject_token: "a.b.c",
  subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  resource: "shop",
};
const refusal = (form: unknown) => {
  try {
    readTokenRequest(form);
  } catch (error) {
    if (error instanceof TokenRefused) return error.error;
    throw error;
  }
  return undefined;
};

test("the least there can be", () => {
  expect(readTokenRequest(FORM)).toEqual({
    ...{ subjectToken: "a.b.c", subjectTokenType: FORM.subject_token_type, resource: "shop", scope: [] },
    ...{ lifetimeSeconds: 0, mode: tokensV1.UseMode.USE_MODE_UNSPECIFIED, uses: 0, windowSeconds: 0 },
  });
});

test("all there can be; empty parameters are absent, unknown ones ignored (RFC 6749 section 3.2)", () => {
  const form = { ...FORM, scope: "sql:read  sql:read connect", lifetime_seconds: "60", actor_token: "", extra: "x" };
  const burst = { ...form, use_mode: "burst", uses: "5", window_seconds: "30" };
  expect(readTokenRequest(burst)).toMatchObject({
    ...{
      scope: ["sql:read", "connect"],
      lifetimeSeconds: 60,
      mode: tokensV1.UseMode.BURST,
      uses: 5,
      windowSeconds: 30,
    },
  });
});

test.each([
  [{ resource: "urn:counterfoil:resource:shop" }],
  [{ resource: "", audience: "shop" }],
  [{ resource: "shop", audience: "urn:counterfoil:resource:shop" }],
  [{ resource: ["shop", "shop"] }],
])("%j is the resource shop", (names) => {
  expect(readTokenRequest({ ...FORM, ...names }).resource).toBe("shop");
});

test.each([
  [{ grant_type: "client_credentials" }, "unsupported_grant_type"],
  [{ grant_type: "" }, "invalid_request"],
  [{ subject_token: "" }, "invalid_request"],
  [{ subject_token: ["a", "b"] }, "invalid_request"],
  [{ subject_token: "x".repeat(40_000) }, "invalid_request"],
  [{ subject_token_type: "urn:ietf:params:oauth:token-type:saml2" }, "invalid_request"],
  [{ actor_token: "x" }, "invalid_request"],
  [{ requested_token_type: "urn:ietf:params:oauth:token-type:jwt" }, "invalid_request"],
  [{ resource: "" }, "invalid_request"],
  [{ resource: ["shop", "ledger"] }, "invalid_target"],
  [{ resource: "https://shop.example.com" }, "invalid_target"],
  [{ resource: "../shop" }, "invalid_target"],
  [{ scope: "sql:read;drop" }, "invalid_scope"],
  [{ scope: "SQL:READ" }, "invalid_scope"],
  [{ scope: "sql:nonsense" }, "invalid_scope"],
  [{ lifetime_seconds: "0" }, "invalid_request"],
  [{ lifetime_seconds: "-1" }, "invalid_request"],
  [{ lifetime_seconds: "1e3" }, "invalid_request"],
  [{ lifetime_seconds: "99999999" }, "invalid_request"],
  [{ use_mode: "twice" }, "invalid_request"],
  [{ use_mode: "constructor" }, "invalid_request"],
  [{ uses: "3" }, "invalid_request"],
  [{ use_mode: "once", window_seconds: "3" }, "invalid_request"],
])("%j is %s", (change, error) => {
  expect(refusal({ ...FORM, ...change })).toBe(error);
});

test("whatever arrives is read or refused, never a crash", () => {
  const value = fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(undefined), fc.integer());
  const form = fc.record(
    Object.fromEntries(Object.keys({ ...FORM, scope: "", use_mode: "", uses: "" }).map((k) => [k, value])),
  );
  fc.assert(fc.property(fc.oneof(fc.anything(), form), (anything) => void refusal(anything)));
});
