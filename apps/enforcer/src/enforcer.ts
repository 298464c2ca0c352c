import { createHmac, createPublicKey, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { edgeV1 } from "#contracts";
import { protocols } from "#protocols";
import { Spool, SpoolLocked } from "#spool";
import { type Clock, systemClock } from "./clock.js";
import { Upstreams } from "./connection/upstreams.js";
import { BusControl } from "./control/bus-control.js";
import type { ControlPlane } from "./control/control-plane.js";
import { ConfigError, type EnforcerConfig } from "./enforcer.config.js";
import { HoldDesk } from "./holds/hold-desk.js";
import { ListenerCertificate } from "./listener/certificate.js";
import { listen } from "./listener/listener.js";
import { createLog, type Log } from "./log.js";
import { BusyPoll } from "./pipeline/busy-poll.js";
import { Turn } from "./pipeline/turn.js";
import { PolicyKeeper } from "./policy/policy-keeper.js";
import { LeftSpools, spoolFolder } from "./recorder/left-spools.js";
import { Recorder } from "./recorder/recorder.js";
import { Shipper } from "./recorder/shipper.js";
import { type AllSemantics, createSemantics } from "./semantics/registry.js";
import { FrontDoor } from "./session/front-door.js";
import { refusal } from "./session/refusals.js";
import type { Session } from "./session/session.js";
import { ALONE, type Place } from "./workers/place.js";

const SOFTWARE_VERSION = "0.1.0";
const RENEW_MS = 10_000;
/** At most; `edge.proto` says so. */
const RENEW_AT_ONCE = 5_000;
const LAST_SHIPMENT_MS = 2_000;
/** Longer than an enforcer takes to drain: one that follows another on the same folder waits for it. */
const PREDECESSOR_MS = 8_000;

const LEAST_SPOOL_BYTES = 1 << 20;

/** A node, or one of its processes: everything put together, from its configuration to its last record. */
export class Enforcer {
  readonly #sessions = new Map<string, Session>();
  readonly #releases = new Set<string>();
  readonly #servers: Server[] = [];
  readonly #spool: Spool;
  readonly #control: BusControl;
  readonly #policy: PolicyKeeper;
  readonly #holds: HoldDesk;
  readonly #shipper: Shipper;
  readonly #left: LeftSpools | null;
  readonly #certificate: ListenerCertificate;
  readonly #semantics: AllSemantics;
  readonly #frontDoor: FrontDoor;
  readonly #clock: Clock = systemClock;
  readonly #log: Log;
  #stopRenewals = () => {};
  #draining: Promise<void> | null = null;

  private constructor(config: EnforcerConfig, spool: Spool, place: Place) {
    const first = place.number === 1;
    this.#log = createLog(config.logLevel);
    const signingKey = createPublicKey(readSetting("signingKeyFile", config.signingKeyFile));
    const credentials = readSetting("credentialsFile", config.credentialsFile);
    const hashKey = keptSecret(join(config.folder, "mask.key"));
    this.#spool = spool;
    for (const damage of spool.damage) this.#log.error({ damage }, "records in the spool were damaged or are missing");

    const clock = this.#clock;
    const log = this.#log;
    // Called from timers and sockets only, by when everything below is there.
    const control: ControlPlane = {
      call: (method, request) => this.#control.call(method, request),
      publish: (batch) => this.#control.publish(batch),
    };
    this.#policy = new PolicyKeeper({
      group: config.group,
      file: join(config.folder, "bundle"),
      keeps: first,
      signingKey,
      control,
      clock,
      log,
      changed: (policy) => {
        for (const session of [...this.#sessions.values()]) session.policyChanged(policy);
      },
      stale: () => this.#endAll("lease", "no beat from the control plane", refusal.leaseEnded()),
    });
    this.#holds = new HoldDesk(control, clock);
    this.#shipper = new Shipper(this.#spool, control, clock, log);
    const recorder = new Recorder(this.#spool, clock);
    recorder.opened();
    this.#left = first ? new LeftSpools(config.folder, place.of, control, clock, log) : null;
    const upstreams = new Upstreams(clock);
    this.#semantics = createSemantics({
      ...{ policy: this.#policy, recorder, upstreams, clock, log, hashKey },
      resourceChanged: (resource) => place.resourceChanged(resource),
    });
    this.#certificate = new ListenerCertificate({
      file: join(config.folder, "listener.json"),
      commonName: config.id,
      hosts: [...new Set(config.listeners.map(({ host }) => host))],
      softwareVersion: SOFTWARE_VERSION,
      enrolls: first ? (place.fresh ? "now" : "in time") : "never",
      renewed: () => place.certificateRenewed(),
      control,
      clock,
      log,
    });
    this.#frontDoor = new FrontDoor({
      services: {
        policy: this.#policy,
        upstreams,
        holds: this.#holds,
        recorder,
        turn: new Turn(new BusyPoll(config.busyPollMicroseconds / 1000)),
        clock,
        log,
      },
      semantics: this.#semantics,
      control,
      allowPlaintext: config.allowPlaintext,
      // Of the node, and for good: who asks twice for a token that does not exist is answered the same, as for one that does.
      mockKey: createHmac("sha256", hashKey).update("tokens that do not exist").digest(),
      tls: () => this.#certificate.current,
      opened: (session) => this.#sessions.set(session.id, session),
      ended: (session) => this.#sessionEnded(session),
      cancelElsewhere: (key) => place.cancelElsewhere(key),
    });
    this.#control = new BusControl({
      enforcerId: config.id,
      group: config.group,
      url: config.natsUrl,
      credentials,
      log,
      push: (push) => this.#receive(push),
      connected: () => this.#caughtUp(),
    });
  }

  /**
   * Ready when its listeners are open: at once where a certificate is kept, else when the control plane has given one.
   * @throws ConfigError, ListenFailed, SpoolLocked, SpoolUnwritable
   */
  static async start(config: EnforcerConfig, place = ALONE): Promise<Enforcer> {
    makeFolder(config.folder);
    const spool = await openSpool(config, place);
    let enforcer: Enforcer;
    try {
      enforcer = new Enforcer(config, spool, place);
    } catch (error) {
      await spool.close();
      throw error;
    }
    try {
      enforcer.#policy.start();
      await enforcer.#certificate.start();
      for (const listener of config.listeners) {
        const protocol = protocols.get(listener.protocol)!;
        const serve = (socket: Parameters<FrontDoor["serve"]>[0]) => void enforcer.#frontDoor.serve(socket, protocol);
        enforcer.#servers.push(
          await listen(listener, Math.ceil(config.maxConnections / place.of), enforcer.#log, serve),
        );
      }
    } catch (error) {
      await enforcer.drain();
      throw error;
    }
    enforcer.#renewLater();
    return enforcer;
  }

  /** The ports listened on, in the order of the configuration. */
  get ports(): readonly number[] {
    return this.#servers.map((server) => (server.address() as AddressInfo).port);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Records the audit service has not acknowledged. */
  get unshipped(): number {
    return this.#spool.unacknowledged;
  }

  /** For another process of the node, whose client it was. */
  cancel(key: Uint8Array): void {
    this.#frontDoor.cancel(key);
  }

  /** Another process of the node has got a new certificate. */
  reloadCertificate(): void {
    this.#certificate.reload();
  }

  /** A session of another process of the node has changed it. */
  resourceChanged(name: string): void {
    const resource = this.#policy.current?.bundle.resources.find((each) => each.name === name);
    const protocol = resource && protocols.get(resource.protocol);
    if (protocol) this.#semantics.get(protocol.semantics)?.renew(resource);
  }

  /** Takes no more, ends what is open with a native error, and ships what it can. Twice is once. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    for (const server of this.#servers) server.close();
    this.#stopRenewals();
    this.#endAll("shutdown", "the enforcer is shutting down", refusal.shutdown());
    this.#policy.stop();
    this.#certificate.stop();
    try {
      await this.#spool.durable(this.#spool.last, "disk");
    } catch {
      // What the disk does not take is not shipped either; closing the spool says so.
    }
    this.#shipper.ship();
    for (const until = performance.now() + LAST_SHIPMENT_MS; performance.now() < until && this.unshipped > 0; ) {
      await sleep(20);
    }
    this.#shipper.stop();
    await this.#left?.stop();
    await this.#control.close();
    for (const semantics of this.#semantics.values()) await semantics.close();
    await this.#spool
      .close()
      .catch((error) => this.#log.error({ error: String(error) }, "the spool could not be closed"));
  }

  #receive({ message }: edgeV1.Push): void {
    switch (message.case) {
      case "bundle":
        this.#policy.receive(message.value);
        break;
      case "beat":
        this.#policy.beat(message.value);
        break;
      case "revoked":
        this.#revoke(message.value);
        break;
      case "approvalDecided":
        this.#holds.decided(message.value);
        break;
      case "spoolAcknowledged":
        this.#shipper.acknowledged(message.value);
        this.#left?.acknowledged(message.value);
        break;
      case undefined:
        break;
      default:
        message satisfies never;
    }
  }

  #revoke({ tokenIds, sessionIds, reason }: edgeV1.Revoked): void {
    const tokens = new Set(tokenIds);
    const ids = new Set(sessionIds);
    const told = refusal.revoked(reason);
    const matches = (sessionId: string, tokenId: string) => tokens.has(tokenId) || ids.has(sessionId);
    this.#frontDoor.refuseOpening(matches, told);
    for (const session of [...this.#sessions.values()]) {
      // Ended alone, its token was not revoked.
      if (tokens.has(session.tokenId)) session.end("revoked", reason, told);
      else if (ids.has(session.id)) session.end("ended", reason, told);
    }
  }

  /** Connected, for the first time or again: asks for whatever may have been pushed meanwhile. */
  #caughtUp(): void {
    void this.#policy.ask();
    void this.#renew();
    this.#shipper.ship();
    this.#left?.ship();
  }

  /** Learns of sessions that were revoked while nobody could tell, and says which are over. */
  async #renew(): Promise<void> {
    const ids = [...this.#sessions.keys()];
    try {
      for (let at = 0; at < ids.length; at += RENEW_AT_ONCE) {
        const sessionIds = ids.slice(at, at + RENEW_AT_ONCE);
        const { ended } = await this.#control.call(edgeV1.EdgeTokens.method.renew, { sessionIds });
        for (const { sessionId, reason } of ended) {
          this.#sessions.get(sessionId)?.end("revoked", reason, refusal.revoked(reason));
        }
      }
      for (const sessionId of [...this.#releases]) {
        await this.#control.call(edgeV1.EdgeTokens.method.release, { sessionId });
        this.#releases.delete(sessionId);
      }
    } catch {
      // The beat decides how long sessions go on without the control plane.
    }
  }

  #renewLater(): void {
    this.#stopRenewals = this.#clock.after(RENEW_MS, () => {
      void this.#renew().then(() => {
        if (!this.#draining) this.#renewLater();
      });
    });
  }

  #sessionEnded(session: Session): void {
    this.#sessions.delete(session.id);
    const sessionId = session.id;
    this.#control.call(edgeV1.EdgeTokens.method.release, { sessionId }).catch(() => this.#releases.add(sessionId));
  }

  #endAll(...[cause, message, told]: Parameters<Session["end"]>): void {
    if (told) this.#frontDoor.refuseOpening(() => true, told);
    for (const session of [...this.#sessions.values()]) session.end(cause, message, told);
  }
}

function readSetting(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ConfigError(`folder: ${(error as Error).message}`, { cause: error });
  }
}

/** Made once; what is masked by `hash` stays comparable over restarts of the node. */
function keptSecret(file: string): Uint8Array {
  try {
    const kept = readFileSync(file);
    if (kept.length === 32) return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const secret = randomBytes(32);
  writeFileSync(file, secret, { mode: 0o600 });
  return secret;
}

/** @throws SpoolLocked where another enforcer stays on the folder; SpoolUnwritable */
async function openSpool({ folder, spoolLimitBytes }: EnforcerConfig, { number, of }: Place): Promise<Spool> {
  const limitBytes = Math.max(LEAST_SPOOL_BYTES, Math.floor(spoolLimitBytes / of));
  for (const until = performance.now() + PREDECESSOR_MS; ; await sleep(200)) {
    try {
      return Spool.open({ folder: spoolFolder(folder, number), limitBytes });
    } catch (error) {
      if (!(error instanceof SpoolLocked) || performance.now() > until) throw error;
    }
  }
}
