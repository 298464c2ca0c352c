import { closeSync, fdatasyncSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

/** A segment file's name says whose records it has: of which source, and from which on. */
export interface SegmentName {
  readonly name: string;
  /** Of openings of the folder: what has a lower one is older. 0 where the version before did not say. */
  readonly order: number;
  readonly source: string;
  readonly first: number;
}

const NAME = /^(?:(\d{10})\.)?([0-9a-f-]{36})\.(\d{16})\.seg$/;

export const segmentName = (order: number, source: string, first: number): string =>
  `${String(order).padStart(10, "0")}.${source}.${String(first).padStart(16, "0")}.seg`;

/** The folder's segment files by their source, oldest first. */
export function segmentNames(folder: string): Map<string, readonly SegmentName[]> {
  const names: SegmentName[] = [];
  for (const name of readdirSync(folder)) {
    const [, order = "0", source, first] = NAME.exec(name) ?? [];
    if (source) names.push({ name, order: Number(order), source, first: Number(first) });
  }
  const bySource = new Map<string, readonly SegmentName[]>();
  for (const one of names.sort((a, b) => a.order - b.order || a.first - b.first)) {
    bySource.set(one.source, [...(bySource.get(one.source) ?? []), one]);
  }
  return bySource;
}

/** Where what is damaged is kept for a person. */
export const asideFolder = (folder: string, source: string): string => join(folder, `damaged-${source}`);

export function setAside(folder: string, source: string, names: readonly SegmentName[]): string {
  const aside = asideFolder(folder, source);
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  for (const { name } of names) renameSync(join(folder, name), join(aside, name));
  syncFolder(aside);
  syncFolder(folder);
  return aside;
}

export function syncFolder(folder: string): void {
  syncWith(folder, fsyncSync);
}

export function syncFile(path: string): void {
  syncWith(path, fdatasyncSync);
}

function syncWith(path: string, sync: (fd: number) => void): void {
  const fd = openSync(path, "r");
  try {
    sync(fd);
  } finally {
    closeSync(fd);
  }
}
