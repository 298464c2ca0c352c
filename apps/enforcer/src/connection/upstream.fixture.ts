/** Real PostgreSQL servers to log in at: every method of authentication, TLS with a CA of their own, a hot standby. */
import "reflect-metadata";
import { spawnSync } from "node:child_process";
import { webcrypto } from "node:crypto";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import pg from "pg";
import { type PrivatePostgres, removePostgres, startPostgres } from "#embedded";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR = 3_600_000;

export interface Certificate {
  readonly key: string;
  readonly certificate: string;
}

/** An authority, and what it signs. */
export class Authority {
  private constructor(
    private readonly keys: webcrypto.CryptoKeyPair,
    private readonly certificate: x509.X509Certificate,
  ) {}

  static async create(name: string): Promise<Authority> {
    x509.cryptoProvider.set(webcrypto as never);
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - 48 * HOUR),
      notAfter: new Date(Date.now() + 48 * HOUR),
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    });
    return new Authority(keys, certificate);
  }

  get pem(): string {
    return this.certificate.toString("pem");
  }

  /** For these names and addresses; good for an hour, or from `begins`, in hours from now. */
  async sign(hosts: readonly string[], begins = 0): Promise<Certificate> {
    const keys = await newKeys();
    const from = Date.now() + begins * HOUR - 60_000;
    const names = hosts.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value }));
    const certificate = await x509.X509CertificateGenerator.create({
      subject: "CN=database",
      issuer: this.certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(from),
      notAfter: new Date(from + HOUR),
      extensions: [new x509.SubjectAlternativeNameExtension(names)],
    });
    const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    return { key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), certificate: certificate.toString("pem") };
  }
}

const newKeys = () =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;

/** Each role is let in by the method that it is named after. */
export const METHODS = { cleartext: "password", md5: "md5", scram: "scram-sha-256", trusted: "trust" } as const;
export const PASSWORD = "a real secret";

const HBA = `
hostnossl all refused 127.0.0.1/32 reject
${Object.entries(METHODS)
  .map(([role, method]) => `host all ${role} 127.0.0.1/32 ${method}`)
  .join("\n")}
host all all 127.0.0.1/32 scram-sha-256
`;

interface UpstreamServer {
  readonly port: number;
  /** As its superuser. */
  query(sql: string): Promise<pg.QueryResult>;
  /** Shows another certificate from now on. */
  show(certificate: Certificate): Promise<void>;
  drop(): Promise<void>;
}

export interface Pair {
  readonly primary: UpstreamServer;
  readonly standby: UpstreamServer;
  drop(): Promise<void>;
}

/** A primary, and a hot standby that was copied from it. @param packaged the newest version there is, not the system's */
export async function startPair(certificate: Certificate, packaged: boolean): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-upstream-"));
  chmodSync(folder, 0o711);
  const at = (name: string) => join(folder, name);
  // Where root runs the tests the server is somebody else, and its key must be its own.
  const first = await startPostgres({ folder: at("primary"), durable: false, packaged });
  const owner = statSync(join(at("primary"), "data"));
  writeFileSync(at("hba"), HBA);
  writeCertificate(folder, certificate, owner);
  const client = new pg.Client({ connectionString: first.url("postgres") });
  await client.connect();
  for (const role of Object.keys(METHODS)) {
    await client.query(`set password_encryption = '${role === "md5" ? "md5" : "scram-sha-256"}'`);
    await client.query(`create role ${role} login password '${PASSWORD}'`);
  }
  await client.end();
  await first.stop();
  spawnSync("cp", ["-a", at("primary"), at("standby")]);
  writeFileSync(join(at("standby"), "data/standby.signal"), "");
  chownSync(join(at("standby"), "data/standby.signal"), owner.uid, owner.gid);
  rmSync(join(at("standby"), "port"), { force: true });
  const settings = { ssl: "on", ssl_cert_file: at("server.crt"), ssl_key_file: at("server.key"), hba_file: at("hba") };
  const [primary, standby] = await Promise.all(
    ["primary", "standby"].map(async (name) => {
      const server = await startPostgres({ folder: at(name), durable: false, packaged, settings });
      return running(server, (next) => writeCertificate(folder, next, owner));
    }),
  );
  return {
    primary: primary!,
    standby: standby!,
    async drop() {
      await Promise.all([primary!.drop(), standby!.drop()]);
      for (const name of ["primary", "standby"]) removePostgres(at(name));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function writeCertificate(folder: string, { key, certificate }: Certificate, owner: { uid: number; gid: number }) {
  for (const [name, text] of [
    ["server.key", key],
    ["server.crt", certificate],
  ] as const) {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    chownSync(file, owner.uid, owner.gid);
  }
}

async function running(server: PrivatePostgres, write: (certificate: Certificate) => void): Promise<UpstreamServer> {
  const client = new pg.Client({ connectionString: server.url("postgres") });
  client.on("error", () => {});
  await client.connect();
  return {
    port: server.port,
    query: (sql) => client.query(sql),
    async show(certificate) {
      write(certificate);
      const shown = "select pg_conf_load_time() as at";
      const before = (await client.query(shown)).rows[0].at;
      await client.query("select pg_reload_conf()");
      for (let now = before; +now === +before; ) now = (await client.query(shown)).rows[0].at;
    },
    async drop() {
      await client.end().catch(() => {});
      await server.stop();
    },
  };
}
