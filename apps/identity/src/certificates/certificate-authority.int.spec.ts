import "reflect-metadata";
import { generateKeyPairSync, randomUUID, webcrypto, X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import * as x509 from "@peculiar/x509";
import { CertificateAuthority } from "./certificate-authority.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "counterfoil-ca-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const P256 = { name: "ECDSA", namedCurve: "P-256" };
const RSA = (modulusLength: number) => ({
  name: "RSASSA-PKCS1-v1_5",
  modulusLength,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: "SHA-256",
});

async function request(algorithm: object = P256, keys?: webcrypto.CryptoKeyPair) {
  keys ??= (await webcrypto.subtle.generateKey(algorithm as never, true, [
    "sign",
    "verify",
  ])) as webcrypto.CryptoKeyPair;
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=somebody else",
    keys,
    signingAlgorithm: { ...algorithm, hash: "SHA-256" } as never,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "bank.example.org" }])],
  });
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { pem: made.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}

test("the authority is made once, for its owner's eyes, also by several starts at once", async () => {
  const opened = await Promise.all([1, 2, 3, 4].map(() => CertificateAuthority.open(folder)));
  expect(new Set(opened.map(({ pem }) => pem)).size).toBe(1);
  expect((await CertificateAuthority.open(folder)).pem).toBe(opened[0]!.pem);
  expect(readdirSync(folder).sort()).toEqual(["ca.cert.pem", "ca.key.pem"]);
  expect(statSync(join(folder, "ca.key.pem")).mode & 0o777).toBe(0o600);
  const certificate = new X509Certificate(opened[0]!.pem);
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
});

test("a leaf has the listeners' names and no others, and is for servers", async () => {
  const authority = await CertificateAuthority.open(folder);
  const now = new Date();
  const { pem } = await request();
  const issued = await authority.sign(pem, "edge-1", ["db.example.org", "10.1.2.3"], now);
  const leaf = new X509Certificate(issued.pem);
  expect(leaf.subject).toBe("CN=edge-1");
  expect(leaf.subjectAltName?.split(", ").sort()).toEqual(["DNS:db.example.org", "IP Address:10.1.2.3"]);
  expect(leaf.ca).toBe(false);
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(leaf.verify(new X509Certificate(authority.pem).publicKey)).toBe(true);
  expect(leaf.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(issued.fingerprint);
  expect(new Date(leaf.validTo).getTime()).toBe(Math.floor(issued.notAfter.getTime() / 1000) * 1000);
  expect(new Date(leaf.validFrom).getTime()).toBeLessThan(now.getTime());
});

test.each(["localhost", "127.0.0.1", "::1", "127.0.0.9"])(
  "a leaf for %s holds for every loopback name",
  async (host) => {
    const authority = await CertificateAuthority.open(folder);
    const leaf = new X509Certificate((await authority.sign((await request()).pem, "x", [host], new Date())).pem);
    expect(leaf.checkHost("localhost")).toBeTruthy();
    expect(leaf.checkIP("127.0.0.1")).toBeTruthy();
    expect(leaf.checkIP("::1")).toBeTruthy();
    expect(leaf.checkHost("bank.example.org")).toBeUndefined();
  },
);

test("a TLS client that trusts the authority accepts the leaf under its name only", async () => {
  const authority = await CertificateAuthority.open(folder);
  const { pem, key } = await request();
  const { pem: cert } = await authority.sign(pem, "x", ["db.example.org"], new Date());
  const server = createServer({ key, cert }, (socket) => socket.on("error", () => {}).end());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  const dial = (servername: string) =>
    new Promise<boolean>((done) => {
      const socket = connect({ host: "127.0.0.1", port, servername, ca: authority.pem }, () => {
        done(socket.authorized);
        socket.destroy();
      });
      socket.on("error", () => done(false));
    });
  try {
    expect(await dial("db.example.org")).toBe(true);
    expect(await dial("other.example.org")).toBe(false);
  } finally {
    await new Promise((closed) => server.close(closed));
  }
});

test.each([
  ["P-384", { name: "ECDSA", namedCurve: "P-384" }],
  ["RSA 2048", RSA(2048)],
])("a request may have a key of %s", async (_what, algorithm) => {
  const authority = await CertificateAuthority.open(folder);
  const { pem } = await request(algorithm);
  await expect(authority.sign(pem, "x", ["a.b"], new Date())).resolves.toBeDefined();
});

test("a request that is none, is weak, or is not signed by its key is refused", async () => {
  const authority = await CertificateAuthority.open(folder);
  const sign = (pem: string) => authority.sign(pem, "x", ["a.b"], new Date());
  const refused = expect.objectContaining({ name: "Refused", code: "invalid" });
  const good = (await request()).pem;
  const der = Buffer.from(x509.PemConverter.decodeFirst(good));
  der[der.length - 3]! ^= 1;
  const garbled = x509.PemConverter.encode(der, "CERTIFICATE REQUEST");
  for (const pem of ["", "x", authority.pem, garbled, good.slice(0, 200), good + "x".repeat(17_000)]) {
    await expect(sign(pem)).rejects.toEqual(refused);
  }
  await expect(sign((await request(RSA(1024))).pem)).rejects.toEqual(refused);
  // Another's public key, signed with one's own.
  const [mine, other] = await Promise.all(
    [1, 2].map(() => webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>),
  );
  const stolen = await request(P256, { privateKey: mine!.privateKey, publicKey: other!.publicKey });
  await expect(sign(stolen.pem)).rejects.toEqual(refused);
});

test("spoilt or foreign files are named", async () => {
  await CertificateAuthority.open(folder);
  const certificate = readFileSync(join(folder, "ca.cert.pem"), "utf8");
  const key = readFileSync(join(folder, "ca.key.pem"), "utf8");
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
  for (const [file, content, named] of [
    ["ca.key.pem", "x", "ca.key.pem must hold"],
    ["ca.cert.pem", randomUUID(), "ca.cert.pem must hold"],
    ["ca.key.pem", other.toString(), "ca.cert.pem is not the certificate of"],
  ] as const) {
    writeFileSync(join(folder, file), content);
    await expect(CertificateAuthority.open(folder)).rejects.toThrow(named);
    writeFileSync(join(folder, "ca.key.pem"), key);
    writeFileSync(join(folder, "ca.cert.pem"), certificate);
  }
});
