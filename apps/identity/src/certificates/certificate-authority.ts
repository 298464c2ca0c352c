import "reflect-metadata";
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { keepKeyFile } from "#bus/nest";
import { Refused } from "#event-store";

const DAY_MS = 24 * 60 * 60 * 1000;
const CA_DAYS = 3650;
const LEAF_DAYS = 90;
/** Clocks differ. */
const BACKDATED_MS = 5 * 60_000;
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const SIGNED = { name: "ECDSA", hash: "SHA-256" };

export interface IssuedCertificate {
  readonly pem: string;
  /** SHA-256, hex. */
  readonly fingerprint: string;
  readonly notAfter: Date;
}

/** Signs the certificates of the enforcers' listeners. */
export class CertificateAuthority {
  private constructor(
    private readonly certificate: x509.X509Certificate,
    private readonly key: webcrypto.CryptoKey,
  ) {}

  /**
   * The authority in `ca.key.pem` and `ca.cert.pem`, made at the first time.
   * @throws Error that names the file which is wrong
   */
  static async open(folder: string): Promise<CertificateAuthority> {
    const [keyFile, certificateFile] = [join(folder, "ca.key.pem"), join(folder, "ca.cert.pem")];
    const keyPem = await keepKeyFile(keyFile, () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    });
    const pair = await pairOf(keyPem, keyFile);
    const pem = await keepKeyFile(certificateFile, () => selfSigned(pair), 0o644);
    const certificate = read(pem, certificateFile);
    if (!new X509Certificate(pem).checkPrivateKey(createPrivateKey(keyPem))) {
      throw new Error(`${certificateFile} is not the certificate of ${keyFile}: restore the one that belongs to it`);
    }
    return new CertificateAuthority(certificate, pair.privateKey);
  }

  get pem(): string {
    return `${this.certificate.toString("pem")}\n`;
  }

  /**
   * A server certificate for the key of a PKCS #10 request, whose signature proves that the asker has it. Names the
   * request asks for are not looked at: `hosts` are the ones. A loopback host stands for all of them.
   * @throws Refused `invalid`
   */
  async sign(requestPem: string, commonName: string, hosts: readonly string[], now: Date): Promise<IssuedCertificate> {
    const request = await verified(requestPem);
    const notAfter = new Date(Math.min(now.getTime() + LEAF_DAYS * DAY_MS, this.certificate.notAfter.getTime()));
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: [{ CN: [commonName] }],
      issuer: this.certificate.subjectName,
      notBefore: new Date(now.getTime() - BACKDATED_MS),
      notAfter,
      publicKey: request.publicKey,
      signingKey: this.key,
      signingAlgorithm: SIGNED,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(namesOf(hosts)),
        await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(this.certificate),
      ],
    });
    const pem = `${leaf.toString("pem")}\n`;
    const fingerprint = new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
    return { pem, fingerprint, notAfter };
  }
}

async function verified(pem: string): Promise<x509.Pkcs10CertificateRequest> {
  const wrong = (what: string) =>
    new Refused("invalid", `certificate_request ${what}`, { field: "certificate_request" });
  if (pem.length > 16 * 1024) throw wrong("is too long");
  let request: x509.Pkcs10CertificateRequest;
  let strong: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" });
    const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
    strong = ["prime256v1", "secp384r1"].includes(namedCurve ?? "") || (modulusLength >= 2048 && modulusLength <= 8192);
  } catch {
    throw wrong("is no PKCS #10 request in PEM");
  }
  if (!strong) throw wrong("must have an EC key on P-256 or P-384, or an RSA key of 2048 to 8192 bits");
  if (!(await request.verify().catch(() => false))) throw wrong("is not signed by the key it is for");
  return request;
}

const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

function namesOf(hosts: readonly string[]): x509.JsonGeneralNames {
  const loopback = hosts.some((host) => LOOPBACK.includes(host) || /^127\./.test(host));
  const names = new Set(loopback ? [...hosts, ...LOOPBACK] : hosts);
  return [...names].map((value) => ({ type: isIP(value) ? "ip" : "dns", value }) as const);
}

async function selfSigned(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: ["Counterfoil enforcers"] }],
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + CA_DAYS * DAY_MS),
    signingAlgorithm: SIGNED,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

async function pairOf(pem: string, file: string): Promise<webcrypto.CryptoKeyPair> {
  try {
    const key = createPrivateKey(pem);
    const { subtle } = webcrypto;
    const privateDer = key.export({ type: "pkcs8", format: "der" });
    const publicDer = createPublicKey(pem).export({ type: "spki", format: "der" });
    return {
      privateKey: await subtle.importKey("pkcs8", privateDer, P256, false, ["sign"]),
      publicKey: await subtle.importKey("spki", publicDer, P256, true, ["verify"]),
    };
  } catch (cause) {
    throw new Error(`${file} must hold an EC private key on P-256 in PEM`, { cause });
  }
}

function read(pem: string, file: string): x509.X509Certificate {
  try {
    return new x509.X509Certificate(pem);
  } catch (cause) {
    throw new Error(`${file} must hold a certificate in PEM`, { cause });
  }
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}
