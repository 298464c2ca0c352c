import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
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

/** A segment file that is whole. */
export interface StoredSegment {
  readonly path: string;
  readonly first: number;
  /** The last record in it; `first - 1` when it has none. */
  readonly last: number;
  readonly bytes: number;
  readonly seed: number;
}

export interface Recovered {
  readonly source: string;
  readonly segments: readonly StoredSegment[];
  readonly acknowledged: number;
  readonly damage: Damage | null;
}

/** Records were found damaged: what could be read goes on under a new source, the files are kept for a person. */
export interface Damage {
  readonly source: string;
  /** Where the damaged files are now. */
  readonly keptIn: string;
  readonly salvaged: number;
  readonly lost: number;
}

export const segmentName = (source: string, first: number): string =>
  `${source}.${String(first).padStart(16, "0")}.seg`;

const NAME = /^([0-9a-f-]{36})\.(\d{16})\.seg$/;
const ACKNOWLEDGED = "acknowledged.json";

/** Makes the folder's files whole again after whatever ended the process before. Synchronous: it runs before anything. */
export function recover(folder: string): Recovered {
  for (const name of readdirSync(folder)) {
    if (/^draft\./.test(name)) rmSync(join(folder, name), { force: true });
  }
  const ack = readAcknowledged(folder);
  const bySource = new Map<string, string[]>();
  for (const name of readdirSync(folder).sort()) {
    const source = NAME.exec(name)?.[1];
    if (source) bySource.set(source, [...(bySource.get(source) ?? []), name]);
  }
  setReplacedAside(folder, bySource);
  const [source, ...surplus] = [...bySource.keys()];
  if (!source) return nothingYet();

  const acknowledged = ack?.source === source ? ack.sequence : 0;
  const read = readSource(folder, bySource.get(source)!);
  const tail = read.segments.at(-1)?.last ?? 0;
  if (!read.damaged && surplus.length === 0 && read.segments.length === 0 && acknowledged === 0) {
    // Killed while the very first segment's header was written.
    for (const torn of read.torn) truncate(torn);
    return nothingYet();
  }
  // Sequences the control plane has seen must never be given to other records.
  if (!read.damaged && surplus.length === 0 && read.segments.length > 0 && tail >= acknowledged) {
    for (const torn of read.torn) truncate(torn);
    return { source, segments: read.segments, acknowledged, damage: null };
  }
  return startOver(folder, bySource, acknowledged, read);
}

const nothingYet = (): Recovered => ({ source: randomUUID(), segments: [], acknowledged: 0, damage: null });

interface SourceRead {
  readonly segments: StoredSegment[];
  readonly damaged: boolean;
  readonly missing: number;
  readonly torn: { readonly path: string; readonly bytes: number }[];
}

function readSource(folder: string, names: readonly string[]): SourceRead {
  const segments: StoredSegment[] = [];
  const torn: SourceRead["torn"] = [];
  let damaged = false;
  let missing = 0;
  let expected = Number(NAME.exec(names[0]!)![2]);
  names.forEach((name, index) => {
    const path = join(folder, name);
    const isLast = index === names.length - 1;
    const { header, first, seed, length, scan } = readSegment(path, name);
    if (first !== expected || scan.damaged || (!header && scan.frames.length > 0)) damaged = true;
    for (const frame of scan.frames) {
      missing += Math.max(0, frame.sequence - expected);
      expected = Math.max(expected, frame.sequence + 1);
    }
    if (scan.goodBytes < length || !header) {
      if (isLast) torn.push({ path, bytes: header ? scan.goodBytes : 0 });
      else if (!scan.clean || !header) damaged = true;
    }
    if (header) segments.push({ path, first, last: first + scan.frames.length - 1, bytes: scan.goodBytes, seed });
  });
  return { segments, damaged, missing, torn };
}

function readSegment(path: string, name: string) {
  const [, source, digits] = NAME.exec(name)!;
  const bytes = readFileSync(path);
  const header = decodeHeader(bytes);
  const first = Number(digits);
  const seed = header?.seed ?? seedOf(source!);
  return { header, first, seed, length: bytes.length, scan: scanSegment(bytes, first, seed) };
}

function truncate({ path, bytes }: { path: string; bytes: number }): void {
  if (bytes === 0) {
    rmSync(path);
    return;
  }
  const fd = openSync(path, "r+");
  try {
    ftruncateSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Carries what could be read over to a new source, then sets the old files aside. A kill at any point loses nothing. */
function startOver(
  folder: string,
  bySource: ReadonlyMap<string, readonly string[]>,
  acknowledged: number,
  read: SourceRead,
): Recovered {
  const source = randomUUID();
  const replaces = [...bySource.keys()][0]!;
  const path = join(folder, segmentName(source, 1));
  const draft = join(folder, `draft.${source}`);
  let bytes = HEADER_BYTES;
  let salvaged = 0;
  const seed = seedOf(source);
  const fd = openSync(draft, "wx", 0o600);
  try {
    writeSync(fd, encodeHeader({ source, replaces, first: 1 }));
    for (const frame of unacknowledged(folder, bySource, replaces, acknowledged)) {
      const buffer = Buffer.alloc(FRAME_BYTES + frame.payload.length);
      bytes += encodeFrame(buffer, 0, ++salvaged, frame.payload, seed);
      // All of it, also where the disk takes it in parts.
      writeFileSync(fd, buffer);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
  syncFolder(folder);
  for (const [old, names] of bySource) setAside(folder, old, names);
  return {
    source,
    segments: [{ path, first: 1, last: salvaged, bytes, seed }],
    acknowledged: 0,
    damage: { source: replaces, keptIn: join(folder, `damaged-${replaces}`), salvaged, lost: read.missing },
  };
}

function* unacknowledged(
  folder: string,
  bySource: ReadonlyMap<string, readonly string[]>,
  replaces: string,
  acknowledged: number,
): Generator<Frame> {
  for (const [source, names] of bySource) {
    const known = new Set<number>();
    for (const name of names) {
      for (const frame of readSegment(join(folder, name), name).scan.frames) {
        if (known.has(frame.sequence) || (source === replaces && frame.sequence <= acknowledged)) continue;
        known.add(frame.sequence);
        yield frame;
      }
    }
  }
}

/** A kill between a new source's first segment and the setting aside of the old leaves both. */
function setReplacedAside(folder: string, bySource: Map<string, string[]>): void {
  for (const names of [...bySource.values()]) {
    const header = decodeHeader(readFileSync(join(folder, names[0]!)).subarray(0, HEADER_BYTES));
    const replaced = header?.replaces && bySource.get(header.replaces);
    if (!header?.replaces || !replaced) continue;
    setAside(folder, header.replaces, replaced);
    bySource.delete(header.replaces);
  }
}

function setAside(folder: string, source: string, names: readonly string[]): void {
  const aside = join(folder, `damaged-${source}`);
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  for (const name of names) renameSync(join(folder, name), join(aside, name));
  syncFolder(folder);
}

export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Written without a sync: an older value only means that something is sent twice and recognised. */
export function writeAcknowledged(folder: string, source: string, sequence: number): void {
  const draft = join(folder, `draft.${source}.ack`);
  const fd = openSync(draft, "w", 0o600);
  try {
    writeSync(fd, JSON.stringify({ source, sequence }));
  } finally {
    closeSync(fd);
  }
  renameSync(draft, join(folder, ACKNOWLEDGED));
}

function readAcknowledged(folder: string): { source: string; sequence: number } | null {
  const path = join(folder, ACKNOWLEDGED);
  try {
    if (!statSync(path).isFile()) return null;
    return JSON.parse(readFileSync(path, "utf8")) as { source: string; sequence: number };
  } catch {
    return null;
  }
}
