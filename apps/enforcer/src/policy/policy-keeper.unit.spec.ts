import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import { policyV1 } from "#contracts";
import { partDigest, signBeat, signManifest, writeParts } from "#decisions";
import type { ControlPlane } from "../control/control-plane.js";
import { ManualClock, settle } from "../manual-clock.fixture.js";
import { PolicyKeeper } from "./policy-keeper.js";

const keys = generateKeyPairSync("ed25519");
const strange = generateKeyPairSync("ed25519");
let folder: string;
let clock: ManualClock;
let answers: { bundle?: policyV1.SignedBundle; beat?: policyV1.SignedBeat }[];
let asked: bigint[];
let changes: number[];
let stale: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "policy-"));
  clock = new ManualClock();
  answers = [];
  asked = [];
  changes = [];
  stale = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function bundle(epoch: number, { group = "g", key = keys.privateKey, lease = 15 } = {}): policyV1.SignedBundle {
  const parts = writeParts({ policies: [], labels: [], resources: [] });
  const refs = parts.map(({ name, content }) => ({ name, sha256: partDigest(content) }));
  const content = { group, epoch: BigInt(epoch), issuedAtMs: 1n, leaseSeconds: lease, parts: refs };
  const manifest = toBinary(policyV1.BundleManifestSchema, create(policyV1.BundleManifestSchema, content));
  const body = parts.map(({ name, content }) => ({ name, content }));
  return create(policyV1.SignedBundleSchema, { manifest, signature: signManifest(manifest, key), parts: body });
}

function beat(epoch: number, at = clock.now(), { group = "g", key = keys.privateKey } = {}): policyV1.SignedBeat {
  const content = { group, epoch: BigInt(epoch), issuedAtMs: BigInt(at) };
  const bytes = toBinary(policyV1.BeatSchema, create(policyV1.BeatSchema, content));
  return create(policyV1.SignedBeatSchema, { beat: bytes, signature: signBeat(bytes, key) });
}

async function keeper(): Promise<PolicyKeeper> {
  const call = (async (_method: unknown, { haveEpoch }: { haveEpoch: bigint }) => {
    asked.push(haveEpoch);
    const answer = answers.shift();
    if (!answer) throw new Error("away");
    return answer;
  }) as unknown as ControlPlane["call"];
  const made = new PolicyKeeper({
    group: "g",
    file: join(folder, "bundle"),
    keeps: true,
    signingKey: keys.publicKey,
    control: { call },
    clock,
    log: pino({ level: "silent" }),
    changed: ({ bundle: { epoch } }) => changes.push(epoch),
    stale: () => stale++,
  });
  await made.start();
  return made;
}

test("a bundle with a beat is in force and fresh for the lease, then stale", async () => {
  answers = [{ bundle: bundle(4), beat: beat(4) }];
  const policy = await keeper();
  expect({ epoch: policy.current?.bundle.epoch, fresh: policy.fresh }).toEqual({ epoch: 4, fresh: true });
  await clock.pass(14_000);
  policy.beat(beat(4));
  await clock.pass(14_000);
  expect({ fresh: policy.fresh, stale }).toEqual({ fresh: true, stale: 0 });
  await clock.pass(1_000);
  expect({ fresh: policy.fresh, stale }).toEqual({ fresh: false, stale: 1 });
  policy.beat(beat(4));
  expect(policy.fresh).toBe(true);
});

test("the epoch never goes back, and the same again changes nothing", async () => {
  answers = [{ bundle: bundle(4), beat: beat(4) }];
  const policy = await keeper();
  for (const epoch of [3, 4]) policy.receive(bundle(epoch));
  expect(changes).toEqual([4]);
  policy.receive(bundle(5));
  expect(changes).toEqual([4, 5]);
});

test("what is signed by another, changed on the way, or for another group is refused", async () => {
  answers = [{ bundle: bundle(4), beat: beat(4) }];
  const policy = await keeper();
  policy.receive(bundle(9, { key: strange.privateKey }));
  policy.receive(bundle(9, { group: "other" }));
  const changed = bundle(9);
  changed.parts[0]!.content[0]! ^= 1;
  policy.receive(changed);
  const swapped = bundle(9);
  swapped.parts.pop();
  policy.receive(swapped);
  expect(policy.current?.bundle.epoch).toBe(4);
  await clock.pass(14_999);
  policy.beat(beat(4, clock.now(), { key: strange.privateKey }));
  policy.beat(beat(4, clock.now(), { group: "other" }));
  await clock.pass(1);
  expect(policy.fresh).toBe(false);
});

test("a beat that was seen before, or is older, renews nothing", async () => {
  answers = [{ bundle: bundle(4), beat: beat(4) }];
  const policy = await keeper();
  await clock.pass(10_000);
  const ours = beat(4);
  policy.beat(ours);
  await clock.pass(14_000);
  policy.beat(ours);
  policy.beat(beat(4, clock.now() - 20_000));
  await clock.pass(1_000);
  expect(policy.fresh).toBe(false);
});

test("a beat of a newer epoch asks for its bundle, and does not renew the old one", async () => {
  answers = [{ bundle: bundle(4), beat: beat(4) }];
  const policy = await keeper();
  await clock.pass(14_000);
  policy.beat(beat(5));
  await settle();
  expect(asked).toEqual([0n, 4n]);
  answers = [{ bundle: bundle(5), beat: beat(5, clock.now() + 1) }];
  await clock.pass(999);
  expect(policy.fresh).toBe(true);
  await clock.pass(1);
  expect({ epoch: policy.current?.bundle.epoch, fresh: policy.fresh }).toEqual({ epoch: 5, fresh: true });
});

test("the last good bundle is kept for the owner only, and is not fresh without a beat", async () => {
  answers = [{ bundle: bundle(4), beat: beat(4) }];
  await keeper();
  expect(statSync(join(folder, "bundle")).mode & 0o777).toBe(0o600);
  const later = await keeper();
  expect({ epoch: later.current?.bundle.epoch, fresh: later.fresh }).toEqual({ epoch: 4, fresh: false });
  expect(asked.at(-1)).toBe(4n);
});

test("a kept bundle that was tampered with is not used", async () => {
  writeFileSync(join(folder, "bundle"), toBinary(policyV1.SignedBundleSchema, bundle(7, { key: strange.privateKey })));
  expect((await keeper()).current).toBeNull();
});
