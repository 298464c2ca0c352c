// A control plane that costs next to nothing: it answers an enforcer from memory and acknowledges records unread, as one
// on another machine would. So what is measured is the enforcer, its spool and the bus.
import "reflect-metadata";
import { generateKeyPairSync, randomBytes, randomUUID, webcrypto } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as x509 from "@peculiar/x509";
import { admitEnforcer, connectBus, ensureStreams } from "#bus";
import { edgeRecordsSubject, edgeSubject, edgeV1, policyV1, pushSubject } from "#contracts";
import { partDigest, signBeat, signManifest, writeParts } from "#decisions";
import { startNats } from "#embedded";
import { protocols } from "#protocols";

const GROUP = "bench";
const BEAT_MS = 1_000;
const CA_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const PRINCIPAL = {
  id: "ci|bench",
  issuer: "ci",
  subject: "bench",
  name: "Bench",
  groups: ["ci"],
  run: "",
  onBehalfOf: [],
};

/** @param content the policies, labels and resources of the bundle */
export async function startControlPlane(folder, content) {
  const nats = await startNats({ folder: join(folder, "nats") });
  const bus = await connectBus({
    url: nats.url,
    name: "bench",
    credentials: readFileSync(nats.credentials.control, "utf8"),
  });
  await ensureStreams(bus);
  const keys = generateKeyPairSync("ed25519");
  const ca = await makeCa();
  const tokens = new Map();

  const answer = (method, respond) => {
    bus.nats.subscribe(edgeSubject(method, "*"), {
      callback: async (_error, message) => {
        const response = await respond(fromBinary(method.input, message.data));
        message.respond(toBinary(method.output, create(method.output, response)));
      },
    });
  };
  answer(edgeV1.EdgeIdentity.method.enroll, ({ certificateRequest }) => enroll(ca, certificateRequest));
  answer(edgeV1.EdgePolicy.method.getBundle, () => ({ bundle: bundle(keys, content), beat: beat(keys) }));
  answer(edgeV1.EdgeTokens.method.lookup, ({ tokenId }) => {
    const token = tokens.get(tokenId);
    return token ? { found: true, ...token } : { found: false };
  });
  answer(edgeV1.EdgeTokens.method.redeem, ({ tokenId, sessionId }) => {
    const { resource } = tokens.get(tokenId);
    const expiresAt = timestampFromMs(Date.now() + 86_400_000);
    const lease = { sessionId, tokenId, principal: PRINCIPAL, resource, scope: [], expiresAt };
    return { outcome: { case: "lease", value: lease } };
  });
  answer(edgeV1.EdgeTokens.method.release, () => ({}));
  answer(edgeV1.EdgeTokens.method.renew, () => ({ ended: [] }));
  bus.nats.subscribe(edgeRecordsSubject("*"), {
    callback: (_error, { data }) => {
      bus.push(pushSubject.all, { message: { case: "spoolAcknowledged", value: endOf(data) } });
    },
  });
  const beats = setInterval(() => bus.push(pushSubject.all, { message: { case: "beat", value: beat(keys) } }), BEAT_MS);

  return {
    /** The path of the configuration of a new node with an empty folder. */
    async node(name, settings) {
      const id = randomUUID();
      const own = (file) => join(folder, `${name}-${file}`);
      const accountSeed = readFileSync(join(nats.keys, "enforcers.seed"), "utf8").trim();
      writeFileSync(own("node.creds"), (await admitEnforcer(accountSeed, { id, group: GROUP })).credentials);
      writeFileSync(own("signing.pem"), keys.publicKey.export({ type: "spki", format: "pem" }));
      const config = {
        id,
        group: GROUP,
        natsUrl: nats.url,
        credentialsFile: own("node.creds"),
        signingKeyFile: own("signing.pem"),
        folder: own("state"),
        allowPlaintext: true,
        logLevel: "error",
        ...settings,
      };
      writeFileSync(own("config.json"), JSON.stringify(config));
      return own("config.json");
    },
    /** User name and password of a token that can be used for ever. */
    token(resource) {
      const id = randomBytes(8).toString("hex");
      const secret = randomBytes(20).toString("hex");
      tokens.set(id, { resource, verifier: protocols.get("postgres").verifier(secret, randomBytes(16)) });
      return { user: `foil_${id}`, password: secret };
    },
    async stop() {
      clearInterval(beats);
      await bus.close();
      await nats.stop();
    },
  };
}

/** Source and last sequence of a RecordBatch; nothing else of it is read. */
function endOf(batch) {
  let source = "";
  let sequence = 0n;
  const reader = new BinaryReader(batch);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) source = reader.string();
    else if (field === 2) {
      const end = reader.uint32() + reader.pos;
      if (end === reader.len) sequence = sequenceOf(batch.subarray(reader.pos));
      reader.pos = end;
    } else reader.skip(type);
  }
  return { source, sequence };
}

function sequenceOf(record) {
  const reader = new BinaryReader(record);
  for (let sequence = 0n; ; ) {
    if (reader.pos >= reader.len) return sequence;
    const [field, type] = reader.tag();
    if (field === 1) sequence = BigInt(reader.uint64());
    else reader.skip(type);
  }
}

function bundle({ privateKey }, content) {
  const parts = writeParts(content);
  const manifest = toBinary(
    policyV1.BundleManifestSchema,
    create(policyV1.BundleManifestSchema, {
      group: GROUP,
      epoch: 1n,
      issuedAtMs: BigInt(Date.now()),
      leaseSeconds: 15,
      parts: parts.map((part) => ({ name: part.name, sha256: partDigest(part.content) })),
    }),
  );
  return { manifest, signature: signManifest(manifest, privateKey), parts };
}

function beat({ privateKey }) {
  const shape = { group: GROUP, epoch: 1n, issuedAtMs: BigInt(Date.now()) };
  const bytes = toBinary(policyV1.BeatSchema, create(policyV1.BeatSchema, shape));
  return { beat: bytes, signature: signBeat(bytes, privateKey) };
}

async function makeCa() {
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(CA_ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=bench CA",
    keys,
    signingAlgorithm: CA_ALGORITHM,
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return { keys, certificate };
}

async function enroll({ keys, certificate }, certificateRequest) {
  const request = new x509.Pkcs10CertificateRequest(certificateRequest);
  const leaf = await x509.X509CertificateGenerator.create({
    subject: request.subject,
    issuer: certificate.subject,
    publicKey: request.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: CA_ALGORITHM,
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [],
  });
  return { certificate: leaf.toString("pem"), ca: certificate.toString("pem") };
}
