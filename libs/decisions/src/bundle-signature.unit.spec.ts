import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { readParts, writeParts } from "./bundle-content.js";
import {
  type ManifestShape,
  partDigest,
  readSigningKey,
  readVerifyKey,
  signBeat,
  signManifest,
  verifyBeat,
  verifyBundle,
} from "./bundle-signature.js";
import { bundleOf, CONNECT_ALL, label } from "./decisions.fixture.js";

const keys = generateKeyPairSync("ed25519");
const publicPem = keys.publicKey.export({ type: "spki", format: "pem" }).toString();
const { policies, labels, resources } = bundleOf(CONNECT_ALL, { labels: [label("pii")] });

/** JSON in the place of protobuf: the library decodes through the function it is given. */
const encode = (value: object) =>
  new Uint8Array(
    Buffer.from(
      JSON.stringify(value, (_, v) =>
        typeof v === "bigint" ? `${v}n` : v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v,
      ),
    ),
  );
const decode = (bytes: Uint8Array): ManifestShape => {
  const raw = JSON.parse(Buffer.from(bytes).toString());
  const big = (text: string) => BigInt(text.slice(0, -1));
  return {
    ...raw,
    epoch: big(raw.epoch),
    issuedAtMs: big(raw.issuedAtMs),
    parts: (raw.parts ?? []).map((part: { name: string; sha256: string }) => ({
      ...part,
      sha256: Buffer.from(part.sha256, "hex"),
    })),
  };
};

function signedBundle(over: Partial<ManifestShape> = {}, parts = writeParts({ policies, labels, resources })) {
  const manifest = encode({
    group: "edge",
    epoch: 7n,
    issuedAtMs: 1000n,
    leaseSeconds: 15,
    parts: parts.map(({ name, content }) => ({ name, sha256: partDigest(content) })),
    ...over,
  });
  return { manifest, signature: signManifest(manifest, keys.privateKey), parts };
}

describe("a signed bundle", () => {
  test("verifies and reads back as it was", () => {
    expect(verifyBundle(signedBundle(), publicPem, decode)).toEqual({
      group: "edge",
      epoch: 7,
      issuedAt: 1000,
      leaseSeconds: 15,
      policies,
      labels,
      resources,
    });
  });

  test("with any byte changed is refused", () => {
    const bundle = signedBundle();
    const fields = [bundle.manifest, bundle.signature, ...bundle.parts.map((part) => part.content)];
    fc.assert(
      fc.property(fc.nat(fields.length - 1), fc.nat(), fc.integer({ min: 1, max: 255 }), (field, at, flip) => {
        const bytes = fields[field]!;
        const changed = Uint8Array.from(bytes);
        changed[at % bytes.length]! ^= flip;
        const swap = (given: Uint8Array) => (given === bytes ? changed : given);
        const tampered = {
          manifest: swap(bundle.manifest),
          signature: swap(bundle.signature),
          parts: bundle.parts.map(({ name, content }) => ({ name, content: swap(content) })),
        };
        expect(() => verifyBundle(tampered, publicPem, decode)).toThrow("bundle");
      }),
    );
  });

  test("with a part missing, doubled, added or renamed is refused", () => {
    const bundle = signedBundle();
    const [first, ...others] = bundle.parts;
    const extra = { name: "extra", content: new Uint8Array(1) };
    for (const parts of [
      others,
      [...bundle.parts, first!],
      [...bundle.parts, extra],
      [{ ...first!, name: "extra" }, ...others],
    ]) {
      expect(() => verifyBundle({ ...bundle, parts }, publicPem, decode)).toThrow("manifest names");
    }
    expect(() =>
      verifyBundle(signedBundle({}, writeParts({ policies, labels, resources }).slice(1)), publicPem, decode),
    ).toThrow("no part policies");
  });

  test("of another key, as a beat, or with a manifest that says nothing is refused", () => {
    const other = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
    const bundle = signedBundle();
    expect(() => verifyBundle(bundle, other, decode)).toThrow("signature is wrong");
    expect(() => verifyBeat({ beat: bundle.manifest, signature: bundle.signature }, publicPem, decode)).toThrow(
      "beat's signature",
    );
    expect(() => verifyBundle(signedBundle({ group: "" }), publicPem, decode)).toThrow("incomplete");
    expect(() => verifyBundle(signedBundle({ epoch: 0n }), publicPem, decode)).toThrow("out of range");
    expect(() => verifyBundle(signedBundle({ epoch: 2n ** 60n }), publicPem, decode)).toThrow("out of range");
  });

  test.each([
    [
      "a transform nobody knows",
      { labels: [{ ...labels[0]!, transform: { kind: "shuffle", options: {} } }] },
      "transform.kind",
    ],
    [
      "a port that is text",
      {
        resources: [{ ...resources[0]!, upstream: { ...resources[0]!.upstream, hosts: [{ host: "db", port: "1" }] } }],
      },
      "upstream.hosts[0].port",
    ],
    [
      "a resource that is nowhere",
      { resources: [{ ...resources[0]!, upstream: { ...resources[0]!.upstream, hosts: [] } }] },
      "no host",
    ],
    ["policies that are no list", { policies: {} }, "policies of the bundle must be a list"],
    [
      "a column without its table",
      { labels: [{ ...labels[0]!, columns: [{ resource: "shop", schema: "public", column: "c" }] }] },
      "table",
    ],
  ])("with %s is refused", (_, over, message) => {
    const parts = writeParts({ policies, labels, resources, ...over } as never);
    expect(() => readParts(new Map(parts.map(({ name, content }) => [name, content])))).toThrow(message);
  });
});

test("a beat verifies under its own domain only", () => {
  const beat = encode({ group: "edge", epoch: 8n, issuedAtMs: 2000n });
  const signature = signBeat(beat, keys.privateKey);
  expect(verifyBeat({ beat, signature }, readVerifyKey(publicPem), decode)).toEqual({
    group: "edge",
    epoch: 8,
    issuedAt: 2000,
  });
  expect(() => verifyBundle({ manifest: beat, signature, parts: [] }, publicPem, decode)).toThrow("signature is wrong");
});

test("a key of another kind is refused", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  expect(() => readSigningKey(ec.privateKey.export({ type: "pkcs8", format: "pem" }).toString())).toThrow("Ed25519");
  expect(() => readVerifyKey("nonsense")).toThrow("not PEM");
});
