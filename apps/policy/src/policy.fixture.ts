import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Bus } from "#bus";
import { type RunningService, startService } from "#bus/nest";
import type { Bundle } from "#commands";
import { edgeV1, identityV1, policyV1, pushSubject, rpcSubject } from "#contracts";
import { type VerifiedBeat, verifyBeat, verifyBundle } from "#decisions";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { PolicyModule } from "./policy.module.js";

const { method } = policyV1.Policy;

export const admin = () => ({ actor: { id: "key-1", name: "Ann", roles: ["admin"] }, commandId: randomUUID() });
export const shop = (over: object = {}) => ({
  name: "shop",
  protocol: "postgres",
  group: "default",
  upstream: { host: "127.0.0.1", port: 5432, database: "shop", tls: policyV1.TlsMode.DISABLE },
  credential: { username: "app", password: "env:SHOP_PASSWORD" },
  ...over,
});
export const email = (over: object = {}) => ({
  name: "pii.email",
  columns: [{ resource: "shop", table: "customers", column: "email" }],
  transform: { kind: "redact" },
  ...over,
});

/** The policy service on servers of its own, and an enforcer `e1` that asks it. */
export class RunningPolicy {
  /** The group enforcer `e1` belongs to. */
  group = "default";
  readonly keys = mkdtempSync(join(tmpdir(), "counterfoil-test-keys-"));
  #service: RunningService | undefined;

  private constructor(
    readonly bus: Bus,
    private readonly nats: FreshNats,
    private readonly database: FreshDatabase,
  ) {
    bus.nats.subscribe(rpcSubject(identityV1.Identity.method.getEnforcer), {
      callback: (_, message) => {
        const { id } = fromBinary(identityV1.GetEnforcerRequestSchema, message.data);
        const enforcer = create(identityV1.EnforcerSchema, { id, group: this.group, removed: id === "gone" });
        message.respond(toBinary(identityV1.EnforcerSchema, enforcer));
      },
    });
  }

  static async start(): Promise<RunningPolicy> {
    const [nats, database] = await Promise.all([freshNats(), freshDatabase()]);
    const policy = new RunningPolicy(await nats.connect("policy"), nats, database);
    await policy.start();
    return policy;
  }

  async start(leaseSeconds = 15): Promise<void> {
    const { bus, keys, databaseUrl } = this;
    this.#service = await startService({ bus, modules: [PolicyModule.register({ databaseUrl, keys, leaseSeconds })] });
  }

  async close(): Promise<void> {
    await this.#service?.close();
  }

  async drop(): Promise<void> {
    await this.close();
    await this.nats.drop();
    await this.database.drop();
    rmSync(this.keys, { recursive: true, force: true });
  }

  get app(): RunningService["app"] {
    return this.#service!.app;
  }

  get databaseUrl(): string {
    return this.database.url;
  }

  publicPem(): string {
    return readFileSync(join(this.keys, "signing.pub.pem"), "utf8");
  }

  readBundle(signed: policyV1.SignedBundle): Bundle {
    return verifyBundle(signed, this.publicPem(), (bytes) => fromBinary(policyV1.BundleManifestSchema, bytes));
  }

  readBeat(signed: policyV1.SignedBeat): VerifiedBeat {
    return verifyBeat(signed, this.publicPem(), (bytes) => fromBinary(policyV1.BeatSchema, bytes));
  }

  putShop(over: object = {}, version?: bigint) {
    const precondition = version !== undefined && { precondition: { version } };
    return this.bus.call(method.putResource, { resource: shop(over), ...precondition }, admin());
  }

  putPolicy(name: string, text: string) {
    return this.bus.call(method.putPolicy, { policy: { name, text } }, admin());
  }

  /** What the enforcer gets that has this epoch. */
  async getBundle(haveEpoch = 0n) {
    const { bundle, beat } = await this.bus.callEdge(edgeV1.EdgePolicy.method.getBundle, "e1", { haveEpoch });
    return { bundle: bundle && this.readBundle(bundle), beat: this.readBeat(beat!), signed: bundle };
  }

  /** What enforcers of the group hear from now on. */
  listen(of = "default") {
    const bundles: Bundle[] = [];
    const beats: VerifiedBeat[] = [];
    const waiting: (() => void)[] = [];
    const end = this.bus.subscribePush([pushSubject.group(of)], ({ message }) => {
      if (message.case === "bundle") bundles.push(this.readBundle(message.value));
      if (message.case === "beat") beats.push(this.readBeat(message.value));
      for (const wake of waiting.splice(0)) wake();
    });
    const until = async <T>(find: () => T | undefined): Promise<T> => {
      for (;;) {
        const found = find();
        if (found !== undefined) return found;
        await new Promise<void>((wake) => waiting.push(wake));
      }
    };
    return {
      end,
      bundle: (where: (bundle: Bundle) => boolean) => until(() => bundles.find(where)),
      beat: (where: (beat: VerifiedBeat) => boolean) => until(() => beats.find(where)),
    };
  }
}
