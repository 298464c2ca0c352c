import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Backlog, type Segment } from "./backlog.js";
import { asideFolder, type SegmentName, segmentName, segmentNames, setAside, syncFile, syncFolder } from "./folder.js";
import { type Position, readPositions } from "./positions.js";
import {
  decodeHeader,
  encodeFrame,
  encodeHeader,
  FRAME_BYTES,
  type Frame,
  HEADER_BYTES,
  scanSegment,
  seedOf,
} from "./segment.js";

/** Records of a source were found damaged or missing. */
export interface Damage {
  readonly source: string;
  /** Where the damaged files are now; null where none is left. */
  readonly keptIn: string | null;
  /** Under which source what could be read goes on; null where there is nothing, or nothing behind what is missing. */
  readonly carriedOnAs: string | null;
  /** Records that it began with; 0 where the opening before was killed over it. */
  readonly salvaged: number;
  /** At least so many records, not known to be elsewhere. */
  readonly lost: number;
}

export interface Recovered {
  /** Oldest first. The last of them is there also where nothing is left of it. */
  readonly earlier: readonly Backlog[];
  readonly damage: readonly Damage[];
  /** Of this opening. */
  readonly order: number;
}

/** Finds what was left in the folder, by whatever ended the process before. Synchronous: it runs before anything. */
export function recover(folder: string): Recovered {
  for (const name of readdirSync(folder)) {
    if (/^draft\./.test(name)) rmSync(join(folder, name), { force: true });
  }
  const noted = readPositions(folder);
  const found = segmentNames(folder);
  const earlier: Backlog[] = [];
  const damage = [...setReplacedAside(folder, found)];
  for (const position of noted) if (!found.has(position.source)) damage.push(...goneWhole(position));
  let order = 0;
  for (const [source, names] of found) {
    order = Math.max(order, names.at(-1)!.order);
    const left = readSource(
      folder,
      names,
      noted.find((position) => position.source === source),
    );
    if (left.damaged) {
      const salvaged = salvage(folder, source, names, left.acknowledged);
      if (salvaged) earlier.push(salvaged);
      damage.push(damageOf(source, left.missing, asideFolder(folder, source), salvaged));
      continue;
    }
    if (left.missing > 0) damage.push(damageOf(source, left.missing, null, null));
    if (left.last === 0) for (const { name } of names) rmSync(join(folder, name));
    else earlier.push(new Backlog(source, left.segments, left.acknowledged, left.last));
  }
  const previous = noted.at(-1);
  if (earlier.length === 0 && previous) {
    const last = previous.last ?? previous.acknowledged;
    earlier.push(new Backlog(previous.source, [], last, last));
  }
  return { earlier, damage, order: order + 1 };
}

/** All its files are missing. */
function goneWhole({ source, acknowledged, last }: Position): readonly Damage[] {
  const lost = (last ?? 0) - acknowledged;
  return lost > 0 ? [damageOf(source, lost, null, null)] : [];
}

const damageOf = (source: string, lost: number, keptIn: string | null, salvaged: Backlog | null): Damage => {
  return { source, lost, keptIn, carriedOnAs: salvaged?.source ?? null, salvaged: salvaged?.last ?? 0 };
};

interface SourceRead {
  readonly segments: Segment[];
  readonly acknowledged: number;
  readonly last: number;
  /** What it has cannot be shipped as it is: records are missing before others, or nothing of a file can be read. */
  readonly damaged: boolean;
  /** Records that were there and are neither in the files nor acknowledged. */
  readonly missing: number;
}

function readSource(folder: string, names: readonly SegmentName[], noted: Position | undefined): SourceRead {
  const segments: Segment[] = [];
  const oldest = names[0]!.first;
  // Files go only after it is noted that they may; the version before noted it later.
  const expectedFirst = noted && noted.last !== null ? Math.min(oldest, noted.acknowledged + 1) : oldest;
  let damaged = false;
  let missing = 0;
  let expected = expectedFirst;
  names.forEach((name, index) => {
    const { header, seed, length, scan, blank } = readSegment(folder, name);
    if (name.first !== expected || scan.damaged || (!header && !blank)) damaged = true;
    if (index < names.length - 1 && (!header || !scan.clean)) damaged = true;
    for (const frame of scan.frames) {
      missing += Math.max(0, frame.sequence - expected);
      expected = Math.max(expected, frame.sequence + 1);
    }
    const { first } = name;
    const last = first + scan.frames.length - 1;
    segments.push({ path: join(folder, name.name), first, last, bytes: header ? scan.goodBytes : length, seed });
  });
  const last = expected - 1;
  const acknowledged = Math.max(noted?.acknowledged ?? 0, expectedFirst - 1);
  missing += Math.max(0, (noted?.last ?? 0) - Math.max(last, acknowledged));
  // What a killed process had written may not be on disk yet.
  if (!damaged) syncFile(segments.at(-1)!.path);
  return { segments, acknowledged, last, damaged, missing };
}

function readSegment(folder: string, { name, source, first }: SegmentName) {
  const bytes = readFileSync(join(folder, name));
  const header = decodeHeader(bytes);
  const seed = header?.seed ?? seedOf(source);
  const scan = scanSegment(bytes, first, seed);
  // As a process leaves it that was killed while it began the file.
  const blank = scan.frames.length === 0 && (bytes.length <= HEADER_BYTES || bytes.every((byte) => byte === 0));
  return { header, seed, length: bytes.length, scan, blank };
}

/**
 * Carries what could be read over to a new source in the place of the damaged one, then sets the old files aside. A kill
 * at any point loses nothing.
 */
function salvage(folder: string, damaged: string, names: readonly SegmentName[], acknowledged: number): Backlog | null {
  const source = randomUUID();
  const seed = seedOf(source);
  const path = join(folder, segmentName(names[0]!.order, source, 1));
  const draft = join(folder, `draft.${source}`);
  let bytes = HEADER_BYTES;
  let last = 0;
  const fd = openSync(draft, "wx", 0o600);
  try {
    writeFileSync(fd, encodeHeader({ source, replaces: damaged, first: 1 }));
    for (const { payload } of unacknowledged(folder, names, acknowledged)) {
      const buffer = Buffer.alloc(FRAME_BYTES + payload.length);
      bytes += encodeFrame(buffer, 0, ++last, payload, seed);
      // All of it, also where the disk takes it in parts.
      writeFileSync(fd, buffer);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  if (last > 0) renameSync(draft, path);
  else rmSync(draft);
  syncFolder(folder);
  setAside(folder, damaged, names);
  return last > 0 ? new Backlog(source, [{ path, first: 1, last, bytes, seed }], 0, last) : null;
}

function* unacknowledged(folder: string, names: readonly SegmentName[], acknowledged: number): Generator<Frame> {
  const known = new Set<number>();
  for (const name of names) {
    for (const frame of readSegment(folder, name).scan.frames) {
      if (known.has(frame.sequence) || frame.sequence <= acknowledged) continue;
      known.add(frame.sequence);
      yield frame;
    }
  }
}

/** A kill between a salvaged source's segment and the setting aside of the damaged files leaves both. */
function* setReplacedAside(folder: string, found: Map<string, readonly SegmentName[]>): Generator<Damage> {
  for (const [source, names] of [...found]) {
    if (!found.has(source)) continue;
    const header = decodeHeader(readFileSync(join(folder, names[0]!.name)).subarray(0, HEADER_BYTES));
    const replaced = header?.replaces && found.get(header.replaces);
    if (!header?.replaces || !replaced) continue;
    const keptIn = setAside(folder, header.replaces, replaced);
    found.delete(header.replaces);
    yield { source: header.replaces, keptIn, carriedOnAs: source, salvaged: 0, lost: 0 };
  }
}
