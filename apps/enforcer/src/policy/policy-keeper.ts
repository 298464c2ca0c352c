import type { KeyObject } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Bundle } from "#commands";
import { edgeV1, policyV1 } from "#contracts";
import { createDecider, type Decider, verifyBeat, verifyBundle } from "#decisions";
import type { Clock } from "../clock.js";
import type { ControlPlane } from "../control/control-plane.js";
import type { Log } from "../log.js";

/** A verified bundle in force, and what decides by it. */
export interface PolicyInForce {
  readonly bundle: Bundle;
  readonly decider: Decider;
}

export interface PolicyKeeperOptions {
  readonly group: string;
  /** Where the last good bundle is kept. */
  readonly file: string;
  /** One process of a node keeps it; all begin with what is kept. */
  readonly keeps: boolean;
  readonly signingKey: KeyObject;
  readonly control: Pick<ControlPlane, "call">;
  readonly clock: Clock;
  readonly log: Log;
  /** Another bundle is in force. */
  readonly changed: (policy: PolicyInForce) => void;
  /** The lease has run out: no beat came in time. */
  readonly stale: () => void;
}

const readManifest = (bytes: Uint8Array) => fromBinary(policyV1.BundleManifestSchema, bytes);
const readBeat = (bytes: Uint8Array) => fromBinary(policyV1.BeatSchema, bytes);

/** A bundle asked for and not given is asked for again after this. */
const ASK_AGAIN_MS = 1_000;

/**
 * Keeps the newest verified bundle in force. The epoch never goes back, and the lease is renewed only by a signed beat
 * of the epoch in force: an enforcer that cannot get the newest bundle does not go on with the one before.
 */
export class PolicyKeeper {
  #inForce: PolicyInForce | null = null;
  #newestBeat = 0;
  #freshUntil = 0;
  #endLease: (() => void) | null = null;
  #asking = false;
  #stopped = false;

  constructor(private readonly options: PolicyKeeperOptions) {}

  get current(): PolicyInForce | null {
    return this.#inForce;
  }

  /** Whether the control plane has lately said that this policy is the newest. */
  get fresh(): boolean {
    return this.#inForce !== null && this.options.clock.now() < this.#freshUntil;
  }

  /** Puts the kept bundle in force, if there is one, and asks for a newer. */
  async start(): Promise<void> {
    let kept: Uint8Array | null = null;
    try {
      kept = readFileSync(this.options.file);
    } catch {
      // The first start.
    }
    if (kept) this.#try(() => this.#putInForce(fromBinary(policyV1.SignedBundleSchema, kept), false));
    await this.ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#endLease?.();
    this.#inForce?.decider.dispose();
  }

  receive(signed: policyV1.SignedBundle): void {
    this.#try(() => this.#putInForce(signed, true));
  }

  beat(signed: policyV1.SignedBeat): void {
    this.#try(() => {
      const { group, epoch, issuedAt } = verifyBeat(signed, this.options.signingKey, readBeat);
      this.#assertOurs(group);
      if (issuedAt <= this.#newestBeat) return;
      if (epoch > (this.#inForce?.bundle.epoch ?? 0)) void this.ask();
      if (!this.#inForce || epoch !== this.#inForce.bundle.epoch) return;
      this.#newestBeat = issuedAt;
      this.#renew(this.#inForce.bundle.leaseSeconds * 1000);
    });
  }

  /** Asks for a newer bundle and a beat, until the control plane answers. */
  async ask(): Promise<void> {
    if (this.#asking || this.#stopped) return;
    this.#asking = true;
    try {
      const haveEpoch = BigInt(this.#inForce?.bundle.epoch ?? 0);
      const answer = await this.options.control.call(edgeV1.EdgePolicy.method.getBundle, { haveEpoch });
      if (answer.bundle) this.receive(answer.bundle);
      this.#asking = false;
      if (answer.beat) this.beat(answer.beat);
    } catch (error) {
      this.#asking = false;
      this.options.log.warn({ error: String(error) }, "the control plane did not give the bundle; asking again");
      this.options.clock.after(ASK_AGAIN_MS, () => void this.ask());
    }
  }

  #putInForce(signed: policyV1.SignedBundle, keep: boolean): void {
    const bundle = verifyBundle(signed, this.options.signingKey, readManifest);
    this.#assertOurs(bundle.group);
    const before = this.#inForce;
    if (before && bundle.epoch <= before.bundle.epoch) return;
    const decider = createDecider(bundle);
    this.#inForce = { bundle, decider };
    if (keep && this.options.keeps) this.#keep(signed);
    this.options.log.info({ epoch: bundle.epoch }, "policy in force");
    this.options.changed(this.#inForce);
    before?.decider.dispose();
  }

  #keep(signed: policyV1.SignedBundle): void {
    const draft = `${this.options.file}.draft`;
    try {
      writeFileSync(draft, toBinary(policyV1.SignedBundleSchema, signed), { mode: 0o600 });
      renameSync(draft, this.options.file);
    } catch (error) {
      this.options.log.warn({ error: String(error) }, "the bundle could not be kept for the next start");
    }
  }

  #renew(forMs: number): void {
    const { clock, stale } = this.options;
    this.#freshUntil = clock.now() + forMs;
    this.#endLease?.();
    this.#endLease = clock.after(forMs, stale);
  }

  #assertOurs(group: string): void {
    if (group !== this.options.group) throw new Error(`it is for group ${group}, not ${this.options.group}`);
  }

  #try(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.options.log.error({ error: String(error) }, "refused what claims to come from the control plane");
    }
  }
}
