import { generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { headers, type Msg } from "@nats-io/transport-node";
import * as x509 from "@peculiar/x509";
import type { Bus } from "#bus";
import type { ResourcePart } from "#commands";
import { approvalV1, busV1, edgeRecordsSubject, edgeSubject, edgeV1, HEADER, policyV1, pushSubject } from "#contracts";
import { partDigest, signBeat, signManifest, writeParts } from "#decisions";
import { protocols } from "#protocols";
import type { FreshDatabase } from "../../../test/servers/postgres.js";
import { GROUP, LABELS, POLICIES, RESOURCE } from "./shop.fixture.js";

const { ApprovalStatus } = approvalV1;

export interface TestToken {
  readonly resource: string;
  readonly verifier: string;
  uses: number;
  refused: string;
  lifetimeMs: number;
  groups: string[];
}

/**
 * A control plane of one test file: answers the edge's questions from memory. What it answers can be changed between and
 * during tests.
 */
export class TestControl {
  readonly records: edgeV1.Record[] = [];
  /** The sequences heard of each spool. */
  readonly sequences = new Map<string, Set<number>>();
  readonly approvals = new Map<string, edgeV1.HoldRequest & { status: approvalV1.ApprovalStatus; reason: string }>();
  readonly released: string[] = [];
  readonly renewed: string[][] = [];
  endedOnRenew: { sessionId: string; reason: string }[] = [];
  acknowledging = true;
  pushesDecisions = true;
  leaseSeconds = 15;
  policies = POLICIES;
  labels = LABELS;
  resource!: ResourcePart;
  /** Further resources, for tokens that name them. */
  others: readonly ResourcePart[] = [];
  epoch = 1;
  /** Methods nobody answers at the moment. */
  readonly silent = new Set<string>();
  readonly #tokens = new Map<string, TestToken>();
  readonly #keys = generateKeyPairSync("ed25519");
  readonly #waiting = new Set<() => void>();
  readonly #ca: Promise<{ keys: webcrypto.CryptoKeyPair; certificate: x509.X509Certificate }> = makeCa();
  readonly #seen = new Set<string>();
  #beats: NodeJS.Timeout | null = null;

  constructor(
    readonly bus: Bus,
    readonly database: FreshDatabase,
  ) {
    process.env.COUNTERFOIL_TEST_SHOP = new URL(database.url).password;
    const { hostname, port, pathname, username } = new URL(database.url);
    this.resource = {
      name: RESOURCE,
      protocol: "postgres",
      upstream: {
        hosts: [{ host: hostname, port: Number(port) }],
        targetSessionAttrs: "any",
        database: pathname.slice(1),
        tls: "disable",
        ca: "",
      },
      credential: { username, password: "env:COUNTERFOIL_TEST_SHOP" },
      reads: "os",
    };
  }

  async serve(): Promise<void> {
    const { edgeIdentity, edgeTokens, edgePolicy, edgeApprovals } = {
      edgeIdentity: edgeV1.EdgeIdentity.method,
      edgeTokens: edgeV1.EdgeTokens.method,
      edgePolicy: edgeV1.EdgePolicy.method,
      edgeApprovals: edgeV1.EdgeApprovals.method,
    };
    this.#answer(edgeIdentity.enroll, async ({ certificateRequest }) => {
      const { keys, certificate } = await this.#ca;
      const request = new x509.Pkcs10CertificateRequest(certificateRequest);
      // Subject alternative names, RFC 5280 section 4.2.1.6.
      const names = request.extensions.find(({ type }) => type === "2.5.29.17")!;
      const leaf = await x509.X509CertificateGenerator.create({
        subject: request.subject,
        issuer: certificate.subject,
        publicKey: request.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
        notBefore: new Date(Date.now() - 1000),
        notAfter: new Date(Date.now() + 3_600_000),
        extensions: [names],
      });
      return { certificate: leaf.toString("pem"), ca: certificate.toString("pem") };
    });
    this.#answer(edgeTokens.lookup, ({ tokenId }) => {
      const token = this.#tokens.get(tokenId);
      return token ? { found: true, resource: token.resource, verifier: token.verifier } : { refused: "unknown" };
    });
    this.#answer(edgeTokens.redeem, ({ tokenId, sessionId }) => {
      const token = this.#tokens.get(tokenId)!;
      const refused = token.refused || (token.uses-- <= 0 ? "spent" : "");
      if (refused) return { outcome: { case: "refused" as const, value: refused } };
      const principal = {
        id: "ci|job-1",
        issuer: "ci",
        subject: "job-1",
        name: "Job 1",
        groups: token.groups,
        run: "run-7",
        onBehalfOf: ["dev@example.com"],
      };
      const lease = {
        sessionId,
        tokenId,
        principal,
        resource: token.resource,
        scope: [],
        expiresAt: timestampFromMs(Date.now() + token.lifetimeMs),
      };
      return { outcome: { case: "lease" as const, value: lease } };
    });
    this.#answer(edgeTokens.release, ({ sessionId }) => {
      this.released.push(sessionId);
      return {};
    });
    this.#answer(edgeTokens.renew, ({ sessionIds }) => {
      this.renewed.push(sessionIds);
      return { ended: this.endedOnRenew };
    });
    this.#answer(edgePolicy.getBundle, ({ haveEpoch }) => ({
      ...(Number(haveEpoch) < this.epoch && { bundle: this.bundle() }),
      beat: this.beat(),
    }));
    this.#answer(edgeApprovals.hold, (request) => {
      if (!this.approvals.has(request.approvalId)) {
        this.approvals.set(request.approvalId, { ...request, status: ApprovalStatus.PENDING, reason: "" });
      }
      return { expiresAt: timestampFromMs(Date.now() + request.ttlSeconds * 1000) };
    });
    this.#answer(edgeApprovals.withdraw, ({ approvalId, reason }) => {
      const approval = this.approvals.get(approvalId);
      if (approval) Object.assign(approval, { status: ApprovalStatus.WITHDRAWN, reason });
      return {};
    });
    this.#answer(edgeApprovals.consume, ({ approvalId, sessionId, digest }) => {
      const approval = this.approvals.get(approvalId)!;
      const same = approval.sessionId === sessionId && Buffer.from(approval.digest).equals(digest);
      const granted = approval.status === ApprovalStatus.APPROVED && same;
      if (granted) approval.status = ApprovalStatus.CONSUMED;
      return { granted, status: approval.status, reason: approval.reason, approvedBy: granted ? [DBA] : [] };
    });
    this.bus.nats.subscribe(edgeRecordsSubject("*"), {
      callback: (_error, message) => {
        const { source, records } = fromBinary(edgeV1.RecordBatchSchema, message.data);
        for (const record of records) {
          const key = `${source}/${record.sequence}`;
          if (!this.#seen.has(key)) this.records.push(record);
          this.#seen.add(key);
          const ofSource = this.sequences.get(source) ?? new Set();
          this.sequences.set(source, ofSource.add(Number(record.sequence)));
        }
        const sequence = records.at(-1)!.sequence;
        if (this.acknowledging) this.push({ case: "spoolAcknowledged", value: { source, sequence } });
        this.#wake();
      },
    });
    this.#beats = setInterval(() => {
      if (!this.silent.has("beat")) this.push({ case: "beat", value: this.beat() });
    }, 500);
    await this.bus.nats.flush();
  }

  stop(): void {
    if (this.#beats) clearInterval(this.#beats);
  }

  /** What has been heard so far is of another test. */
  clear(): void {
    this.records.length = 0;
    this.approvals.clear();
  }

  /** As if what came before had been lost on the way. */
  forget(): void {
    this.#seen.clear();
  }

  signingKey(): string {
    return this.#keys.publicKey.export({ type: "spki", format: "pem" }) as string;
  }

  async ca(): Promise<string> {
    return (await this.#ca).certificate.toString("pem");
  }

  token(options: Partial<TestToken> = {}): { id: string; secret: string } {
    const id = randomBytes(8).toString("hex");
    const secret = randomBytes(20).toString("hex");
    const verifier = protocols.get("postgres")!.verifier(secret, randomBytes(16));
    const token = { resource: RESOURCE, verifier, uses: 1000, refused: "", lifetimeMs: 600_000, groups: ["ci"] };
    this.#tokens.set(id, { ...token, ...options });
    return { id, secret };
  }

  /** Puts another policy in force. */
  change(change: Partial<Pick<TestControl, "policies" | "labels" | "resource" | "others" | "leaseSeconds">>): void {
    Object.assign(this, change);
    this.epoch++;
    this.push({ case: "bundle", value: this.bundle() });
    this.push({ case: "beat", value: this.beat() });
  }

  decide(approvalId: string, status: approvalV1.ApprovalStatus, reason = ""): void {
    Object.assign(this.approvals.get(approvalId)!, { status, reason });
    if (this.pushesDecisions) this.push({ case: "approvalDecided", value: { approvalId, status, reason, by: [DBA] } });
  }

  push(message: MessageInitShape<typeof edgeV1.PushSchema>["message"]): void {
    this.bus.push(pushSubject.all, { message: message! });
  }

  /** The records of one kind, when there are at least `count`. */
  async recorded<Case extends NonNullable<edgeV1.Record["fact"]["case"]>>(
    kind: Case,
    count = 1,
    of: (value: Extract<edgeV1.Record["fact"], { case: Case }>["value"]) => boolean = () => true,
  ) {
    type Value = Extract<edgeV1.Record["fact"], { case: Case }>["value"];
    return this.until(() => {
      const found = this.records.filter(({ fact }) => fact.case === kind && of(fact.value as never));
      return found.length >= count ? found.map(({ fact }) => fact.value as Value) : null;
    });
  }

  /** The approval that waits. */
  async pending(): Promise<string> {
    return this.until(() => {
      for (const { approvalId, status } of this.approvals.values())
        if (status === ApprovalStatus.PENDING) return approvalId;
      return null;
    });
  }

  async until<T>(look: () => T | null | undefined | false): Promise<T> {
    for (;;) {
      const found = look();
      if (found) return found;
      await new Promise<void>((again) => {
        const timer = setTimeout(again, 20);
        this.#waiting.add(() => {
          clearTimeout(timer);
          again();
        });
      });
    }
  }

  bundle(): policyV1.SignedBundle {
    const resources = [this.resource, ...this.others];
    const parts = writeParts({ policies: this.policies, labels: this.labels, resources });
    const manifest = toBinary(
      policyV1.BundleManifestSchema,
      create(policyV1.BundleManifestSchema, {
        group: GROUP,
        epoch: BigInt(this.epoch),
        issuedAtMs: BigInt(Date.now()),
        leaseSeconds: this.leaseSeconds,
        parts: parts.map(({ name, content }) => ({ name, sha256: partDigest(content) })),
      }),
    );
    return create(policyV1.SignedBundleSchema, {
      manifest,
      signature: signManifest(manifest, this.#keys.privateKey),
      parts: parts.map(({ name, content }) => ({ name, content })),
    });
  }

  beat(): policyV1.SignedBeat {
    const beat = toBinary(
      policyV1.BeatSchema,
      create(policyV1.BeatSchema, { group: GROUP, epoch: BigInt(this.epoch), issuedAtMs: BigInt(Date.now()) }),
    );
    return create(policyV1.SignedBeatSchema, { beat, signature: signBeat(beat, this.#keys.privateKey) });
  }

  #answer<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    answer: (request: MessageShape<I>) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
  ): void {
    this.bus.nats.subscribe(edgeSubject(method, "*"), {
      callback: (_error, message) => void respond(message),
    });
    const respond = async (message: Msg) => {
      if (this.silent.has(method.name)) return;
      try {
        const response = await answer(fromBinary(method.input, message.data));
        message.respond(toBinary(method.output, create(method.output, response)));
      } catch (error) {
        const header = headers();
        header.set(HEADER.outcome, "failure");
        const failure = create(busV1.FailureSchema, { code: "internal", message: String(error) });
        message.respond(toBinary(busV1.FailureSchema, failure), { headers: header });
      }
      this.#wake();
    };
  }

  #wake(): void {
    for (const again of [...this.#waiting]) again();
    this.#waiting.clear();
  }
}

const DBA = { id: "key|dba", name: "Dana", roles: ["approver"] };

async function makeCa() {
  x509.cryptoProvider.set(webcrypto as never);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=test CA",
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 1000),
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return { keys, certificate };
}
