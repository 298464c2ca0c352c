import { create, toBinary } from "@bufbuild/protobuf";
import type { Bundle, LabelPart, ResourcePart, Transform } from "#commands";
import { policyV1 } from "#contracts";
import { createDecider, type Decider, partDigest, signBeat, signManifest, writeParts } from "#decisions";
import { hostsOf, type ResourceDefinition } from "../domain/resource.js";
import type { Declarations, Snapshot } from "../projections/declarations.js";
import type { SigningKey } from "./signing-key.js";

/** The newest bundle of a group. */
export interface CurrentBundle {
  readonly bundle: Bundle;
  readonly signed: policyV1.SignedBundle;
  /** Of `signed` on the wire. */
  readonly bytes: number;
}

/** Makes, signs and remembers the newest bundle of each group. */
export class BundleMaker {
  readonly #newest = new Map<string, CurrentBundle>();
  readonly #deciders = new Map<string, Decider>();

  constructor(
    private readonly declarations: Declarations,
    private readonly signingKey: SigningKey,
  ) {}

  async current(group: string): Promise<CurrentBundle> {
    const known = this.#newest.get(group);
    if (known && known.bundle.epoch === (await this.declarations.epoch(group))) return known;
    const bundle = bundleOf(group, await this.declarations.snapshot(group));
    const newest = this.#newest.get(group);
    if (newest && newest.bundle.epoch >= bundle.epoch) return newest;
    const made = this.#sign(bundle);
    this.#newest.set(group, made);
    return made;
  }

  /** Asks the newest bundle of a group. `ask` runs at once, since the decider is replaced with the bundle. */
  async decide<T>(group: string, ask: (decider: Decider, bundle: Bundle) => T): Promise<T> {
    const { bundle } = await this.current(group);
    let decider = this.#deciders.get(group);
    if (!decider || decider.epoch < bundle.epoch) {
      decider?.dispose();
      decider = createDecider(bundle);
      this.#deciders.set(group, decider);
    }
    return ask(decider, bundle);
  }

  beat(group: string, epoch: number): policyV1.SignedBeat {
    const beat = toBinary(
      policyV1.BeatSchema,
      create(policyV1.BeatSchema, { group, epoch: BigInt(epoch), issuedAtMs: BigInt(Date.now()) }),
    );
    return create(policyV1.SignedBeatSchema, { beat, signature: signBeat(beat, this.signingKey.key) });
  }

  dispose(): void {
    for (const decider of this.#deciders.values()) decider.dispose();
    this.#deciders.clear();
  }

  #sign(bundle: Bundle): CurrentBundle {
    const parts = writeParts(bundle);
    const manifest = toBinary(
      policyV1.BundleManifestSchema,
      create(policyV1.BundleManifestSchema, {
        group: bundle.group,
        epoch: BigInt(bundle.epoch),
        issuedAtMs: BigInt(Date.now()),
        leaseSeconds: bundle.leaseSeconds,
        parts: parts.map(({ name, content }) => ({ name, sha256: partDigest(content) })),
      }),
    );
    const signed = create(policyV1.SignedBundleSchema, {
      manifest,
      signature: signManifest(manifest, this.signingKey.key),
      parts: [...parts],
    });
    return { bundle, signed, bytes: toBinary(policyV1.SignedBundleSchema, signed).length };
  }
}

function resourcePart({ group: _, upstream, ...rest }: ResourceDefinition): ResourcePart {
  const { database, tls, ca, targetSessionAttrs = "any" } = upstream;
  return { ...rest, upstream: { hosts: hostsOf(upstream), targetSessionAttrs, database, tls, ca } };
}

/** What a group needs and no more: its resources, the labels on them, every policy. */
function bundleOf(group: string, { epoch, leaseSeconds, resources, labels, policies }: Snapshot): Bundle {
  const served = new Set(resources.map(({ name }) => name));
  return {
    group,
    epoch,
    leaseSeconds,
    resources: resources.map(resourcePart),
    labels: labels
      .map(
        ({ name, columns, transform }): LabelPart => ({
          name,
          columns: columns.filter(({ resource }) => served.has(resource)),
          transform: transform as Transform,
        }),
      )
      .filter(({ columns }) => columns.length > 0),
    policies: policies.map(({ name, text }) => ({ name, text })),
  };
}
