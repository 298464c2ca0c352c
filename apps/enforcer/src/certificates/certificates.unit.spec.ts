import "reflect-metadata";
import { createHash, createPrivateKey, createPublicKey, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { makeRequest } from "./certificate-request.js";
import { endpointBinding } from "./endpoint-binding.js";

x509.cryptoProvider.set(webcrypto);

const namesOf = (request: x509.Pkcs10CertificateRequest) =>
  request.extensions.filter((each) => each instanceof x509.SubjectAlternativeNameExtension)[0]!.names.toJSON();

describe("a certificate request", () => {
  const hosts = ["db.example.com", "10.1.2.3", "::1", "2001:db8::ff00:42:8329", "fe80:1:2:3:4:5:6:7"];
  let key: string;
  let read: x509.Pkcs10CertificateRequest;
  beforeAll(async () => {
    const made = await makeRequest("node-7", hosts);
    key = made.key;
    read = new x509.Pkcs10CertificateRequest(made.request);
  });

  test("is signed with its own key, a new one each time", async () => {
    expect(await read.verify()).toBe(true);
    const mine = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" });
    expect(Buffer.from(read.publicKey.rawData)).toEqual(mine);
    expect((await makeRequest("node-7", hosts)).key).not.toBe(key);
  });

  test("names the node and its hosts", () => {
    expect(read.subject).toBe("CN=node-7");
    expect(namesOf(read)).toEqual([
      { type: "dns", value: "db.example.com" },
      { type: "ip", value: "10.1.2.3" },
      { type: "ip", value: "::1" },
      { type: "ip", value: "2001:db8::ff00:42:8329" },
      { type: "ip", value: "fe80:1:2:3:4:5:6:7" },
    ]);
  });

  test("of many hosts", async () => {
    const many = Array.from({ length: 300 }, (_, n) => `host-${n}.example.com`);
    const long = new x509.Pkcs10CertificateRequest((await makeRequest("n", many)).request);
    expect(await long.verify()).toBe(true);
    expect(namesOf(long)).toHaveLength(300);
  });
});

describe("a certificate's binding", () => {
  async function certificate(algorithm: object): Promise<Buffer> {
    const keys = await webcrypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, ["sign", "verify"]);
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=x",
      keys,
      signingAlgorithm: algorithm as webcrypto.EcdsaParams,
    });
    return Buffer.from(made.rawData);
  }
  const rsa = { modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };

  test.each([
    ["ECDSA with SHA-256", { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }, "sha256"],
    ["ECDSA with SHA-1", { name: "ECDSA", namedCurve: "P-256", hash: "SHA-1" }, "sha256"],
    ["ECDSA with SHA-384", { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }, "sha384"],
    ["RSA with SHA-512", { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512", ...rsa }, "sha512"],
    ["RSA-PSS with SHA-384", { name: "RSA-PSS", hash: "SHA-384", saltLength: 48, ...rsa }, "sha384"],
  ])("%s", async (_name, algorithm, hash) => {
    const der = await certificate(algorithm);
    expect(await endpointBinding(der)).toEqual(createHash(hash).update(der).digest());
  });

  test("none with a signature that has no hash of its own", async () => {
    expect(await endpointBinding(await certificate({ name: "Ed25519" }))).toBeNull();
  });

  test("what is no certificate", async () => {
    await expect(endpointBinding(Buffer.from("no certificate at all"))).rejects.toThrow();
    await expect(endpointBinding(Buffer.of(0x30, 0x82, 0xff, 0xff))).rejects.toThrow();
  });
});
