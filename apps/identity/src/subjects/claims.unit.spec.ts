import fc from "fast-check";
import type { IssuerDefinition } from "../domain/issuer.js";
import { claimAt, principalOf } from "./claims.js";

const issuer = (changes: Partial<IssuerDefinition> = {}): IssuerDefinition => ({
  name: "ci",
  url: "https://ci.example.org",
  jwksUri: "",
  audiences: ["counterfoil"],
  algorithms: [],
  claims: { subject: "", name: "", groups: "", run: "", onBehalfOf: "" },
  requiredClaims: {},
  groups: [],
  exchangeOnce: false,
  ...changes,
});
const mapping = (claims: Partial<IssuerDefinition["claims"]>) => issuer({ claims: { ...issuer().claims, ...claims } });
const refusal = (reason: string) => expect.objectContaining({ code: "invalid", details: { reason } });

describe("a claim at a path", () => {
  test.each<[string, unknown, unknown]>([
    ["sub", { sub: "a" }, "a"],
    ["a.b", { a: { b: 1 } }, 1],
    ["a.b", { "a.b": 2, a: { b: 1 } }, 2],
    ["https://x.org/y", { "https://x.org/y": "z" }, "z"],
    ["https://x.org/y.groups", { "https://x.org/y": { groups: ["g"] } }, ["g"]],
    ["a.b.c", { "a.b": { d: 1 }, a: { "b.c": 3 } }, 3],
    ["missing", { sub: "a" }, undefined],
    ["sub.x", { sub: "a" }, undefined],
    ["toString", {}, undefined],
    ["__proto__.x", {}, undefined],
    ["a.0", { a: ["x"] }, undefined],
  ])("%s", (path, claims, found) => expect(claimAt(claims, path)).toEqual(found));

  test("is found under any names, with dots or without", () => {
    const name = fc.stringMatching(/^[a-z:/]([a-z:/.]{0,6}[a-z:/])?$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
        const claims = names.reduceRight<unknown>((inner, outer) => ({ [outer]: inner }), "here");
        expect(claimAt(claims, names.join("."))).toBe("here");
      }),
    );
  });
});

describe("a principal", () => {
  test("is its subject where nothing is mapped", () => {
    expect(principalOf(issuer(), { sub: "repo:shop" })).toEqual({
      id: "ci|repo:shop",
      issuer: "ci",
      subject: "repo:shop",
      name: "repo:shop",
      groups: [],
      run: "",
      onBehalfOf: [],
    });
  });

  test("has what is mapped", () => {
    const mapped = issuer({
      claims: {
        subject: "who.id",
        name: "who.name",
        groups: "https://x.org/groups",
        run: "run_id",
        onBehalfOf: "boss",
      },
      groups: ["all", "ci"],
    });
    const claims = { who: { id: "7", name: "Build" }, "https://x.org/groups": ["ci", "dev"], run_id: 42, boss: "ann" };
    expect(principalOf(mapped, claims)).toMatchObject({
      id: "ci|7",
      name: "Build",
      groups: ["all", "ci", "dev"],
      run: "42",
      onBehalfOf: ["ann"],
    });
  });

  test("that acts for others is the current actor, for the one before it, for the subject", () => {
    const claims = { sub: "ann", act: { sub: "agent-2", act: { sub: "agent-1" } } };
    expect(principalOf(issuer(), claims)).toMatchObject({ subject: "agent-2", onBehalfOf: ["agent-1", "ann"] });
  });

  test.each<[string, IssuerDefinition, Record<string, unknown>]>([
    ["subject", issuer(), {}],
    ["subject", mapping({ subject: "who" }), { sub: "x" }],
    ["claim", issuer(), { sub: { a: 1 } }],
    ["claim", issuer(), { sub: "a\u0000b" }],
    ["claim", issuer(), { sub: "x".repeat(513) }],
    ["claim", mapping({ groups: "g" }), { sub: "a", g: { admin: true } }],
    ["claim", mapping({ groups: "g" }), { sub: "a", g: ["ok", 7] }],
    ["claim", mapping({ groups: "g" }), { sub: "a", g: Array(501).fill("g") }],
    ["claim", mapping({ run: "r" }), { sub: "a", r: ["1"] }],
    ["act", issuer(), { sub: "a", act: "b" }],
    ["act", issuer(), { sub: "a", act: {} }],
    ["act", issuer(), { sub: "a", act: null }],
    ["required_claim", issuer({ requiredClaims: { env: "prod" } }), { sub: "a" }],
    ["required_claim", issuer({ requiredClaims: { env: "prod" } }), { sub: "a", env: "production" }],
    ["required_claim", issuer({ requiredClaims: { env: "prod" } }), { sub: "a", env: ["prod"] }],
  ])("is refused for its %s", (reason, from, claims) =>
    expect(() => principalOf(from, claims)).toThrow(refusal(reason)),
  );

  test("is refused for an endless chain of actors", () => {
    let act: object = { sub: "0" };
    for (let depth = 0; depth < 20; depth++) act = { sub: "x", act };
    expect(() => principalOf(issuer(), { sub: "a", act })).toThrow(refusal("act"));
  });
});
