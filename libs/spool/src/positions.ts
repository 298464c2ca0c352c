import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c } from "./crc32c.js";
import { syncFolder } from "./folder.js";

/** How far a source was when this was noted: it may be further by now, and is never less far. */
export interface Position {
  readonly source: string;
  readonly acknowledged: number;
  /** The newest record that was on disk; null where the version before did not say, which noted late besides. */
  readonly last: number | null;
}

const FILE = "acknowledged.json";
const DRAFT = "draft.acknowledged";

/**
 * Notes the positions, oldest source first. A note that is lost or older only means that something is sent twice and
 * recognised; `synced`, it is on disk before files go that it says are acknowledged.
 */
export function writePositions(folder: string, positions: readonly Position[], synced: boolean): void {
  const draft = join(folder, DRAFT);
  const fd = openSync(draft, "w", 0o600);
  try {
    writeFileSync(fd, JSON.stringify({ positions, crc32c: checksum(positions) }));
    if (synced) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, join(folder, FILE));
  if (synced) syncFolder(folder);
}

/** What was noted, or nothing where the file is missing or is not what was written. */
export function readPositions(folder: string): readonly Position[] {
  try {
    const noted = JSON.parse(readFileSync(join(folder, FILE), "utf8")) as unknown;
    return checked(noted) ?? former(noted) ?? [];
  } catch {
    return [];
  }
}

function checked(noted: unknown): readonly Position[] | null {
  const { positions, crc32c } = noted as { positions?: readonly Position[]; crc32c?: unknown };
  return Array.isArray(positions) && crc32c === checksum(positions) ? positions : null;
}

/** As the version before wrote it: of one source, without a checksum. */
function former(noted: unknown): readonly Position[] | null {
  const { source, sequence } = noted as { source?: unknown; sequence?: unknown };
  if (typeof source !== "string" || !Number.isSafeInteger(sequence) || Number(sequence) < 0) return null;
  return [{ source, acknowledged: Number(sequence), last: null }];
}

const checksum = (positions: readonly Position[]): number => crc32c(Buffer.from(JSON.stringify(positions)));
