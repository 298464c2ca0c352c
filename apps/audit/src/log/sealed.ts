import { createHash } from "node:crypto";
import { type AuditEntry, type Json, type SealedEntry, seal } from "#audit-log";

/** Of an entry as JSON, in characters. It must fit a message of the bus, or nobody could read past it. */
const MOST = 1 << 20;
const SHOWN_OF_LONG = 8 << 10;
const MOST_ITEMS = 1_000;

/** The entry sealed, where it is not too large; else with long texts and lists cut, which say what they were. */
export function sealed(entry: AuditEntry): SealedEntry {
  const whole = seal(entry);
  if (whole.json.length <= MOST) return whole;
  const cut = seal({ ...entry, data: shortened(entry.data) });
  return cut.json.length <= MOST ? cut : seal({ ...entry, data: { cut: cutText(JSON.stringify(entry.data)) } });
}

function shortened(value: Json): Json {
  if (typeof value === "string") return cutText(value);
  if (Array.isArray(value)) {
    const kept = value.slice(0, MOST_ITEMS).map(shortened);
    return value.length > kept.length ? [...kept, `… and ${value.length - kept.length} more`] : kept;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, shortened(held)]));
}

function cutText(text: string): string {
  if (text.length <= SHOWN_OF_LONG) return text;
  const digest = createHash("sha256").update(text).digest("hex");
  // No half of a surrogate pair is left over.
  const shown = text.slice(0, SHOWN_OF_LONG).replace(/[\ud800-\udbff]$/, "");
  return `${shown}… (${Buffer.byteLength(text)} bytes, SHA-256 ${digest})`;
}
