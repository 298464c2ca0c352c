import type { MaskPlan, Parameter, Refusal } from "#commands";
import type { CommandLimit, Gate, Outcome, Prepared } from "../protocol.js";
import type { Change } from "./conversation/names.js";
import type { Statement } from "./conversation/statements.js";
import { nameOfKey, utf8 } from "./decoder.js";
import type { WireValue } from "./messages.js";

/** Messages to commands: what a gate says of the message it stands for. */

/** Text is UTF-8; what is not is kept as the bytes it is. */
export function parameterOf(value: WireValue): Parameter {
  if (value.bytes === null) return { kind: "null" };
  const text = value.format === "text" ? utf8(value.bytes) : null;
  return text === null ? { kind: "binary", value: value.bytes } : { kind: "text", value: text };
}

const NOT_UTF8: Refusal = {
  code: "not_understood",
  message: "the statement is not valid UTF-8",
  hint: "Set the client's encoding to UTF8.",
};
const OTHER_ENCODING: Refusal = {
  code: "not_understood",
  message: "the statement is not ASCII, and the session's client_encoding is not UTF8",
  hint: "SET client_encoding TO 'UTF8'.",
};
const ESCAPES: Refusal = {
  code: "not_understood",
  message: "the statement holds a backslash, and the session's standard_conforming_strings is off",
  hint: "SET standard_conforming_strings TO on.",
};

/** How the server reads texts, by what it last said of its settings. */
export interface Reading {
  readonly encoding: "utf8" | "other";
  /** In every string a backslash is an escape. */
  readonly escapes: boolean;
}

/**
 * A statement's text and, where its bytes could mean another text to the server, why it cannot pass. In every encoding
 * a server lets a client use, ASCII bytes alone mean ASCII.
 */
export function readable(text: string | null, reading: Reading): { text: string; refusal?: Refusal } {
  const refusal = text === null ? NOT_UTF8 : misread(text, reading);
  return refusal ? { text: text ?? "", refusal } : { text: text ?? "" };
}

export function misread(text: string, { encoding, escapes }: Reading): Refusal | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (encoding === "other" && !/^[\x00-\x7f]*$/.test(text)) return OTHER_ENCODING;
  return escapes && text.includes("\\") ? ESCAPES : undefined;
}

/** What running a portal comes to that the client did not make with Bind: it is an SQL cursor. */
export function fetchText(portal: string, maxRows: number): string {
  const name = nameOfKey(portal).replaceAll('"', '""');
  return `FETCH ${maxRows > 0 ? `FORWARD ${maxRows}` : "ALL"} FROM "${name}"`;
}

/** What a command does once it runs: its own text makes or drops a prepared statement, by the key of its name, null for all. */
export type Effect =
  | { readonly kind: "run"; readonly runs: (batch: number) => void }
  /** It runs what it names, whatever the name stands for then. */
  | { readonly kind: "by-name" }
  /** Code of its own may close portals and open others by their names. */
  | { readonly kind: "replaces-portals" }
  | { readonly kind: "define"; readonly name: string; readonly prepared: Prepared }
  | { readonly kind: "drop"; readonly name: string | null };

/** One `run` gate that was let through, and what is known of it so far. */
export class RunningCommand {
  /** The position of the statement that runs, for a text with several. */
  statement = 0;
  rows = 0;
  bytes = 0;
  valuesMasked = 0;
  error: { code: string; message: string } | null = null;
  finished = false;
  /** Among those that run; -1: nowhere. */
  place = -1;
  /** It was sent to run. */
  ran = false;
  /** The one it was let through in, and then that in which it was first sent to run. */
  batch: number;
  /** It has gone past its limit: nothing more of it is shown. */
  struck = false;
  /** Its output comes by COPY. */
  bulk = false;
  /** What its text does to prepared statements, once sent: settled one by one as the server confirms each. */
  pending: Pending[] = NOTHING_PENDING;
  /** Rows sent since the last completion. */
  #shown = 0;
  #tags = "";

  constructor(
    readonly gate: Gate,
    readonly plan: MaskPlan,
    readonly effects: readonly Effect[] = [],
    readonly limit: CommandLimit | null = null,
  ) {
    this.batch = gate.batch;
  }

  /** Code of its own may take portals' names for others, as it runs or as the server plans it. */
  get replacesPortals(): boolean {
    return this.effects.length > 0 && this.effects.some(({ kind }) => kind === "replaces-portals");
  }

  /** Whether one more row, or line of bulk output, would be past the limit. */
  get full(): boolean {
    return this.limit !== null && this.rows + this.#shown >= this.limit.rows + (this.bulk && this.limit.header ? 1 : 0);
  }

  /** Whether it has changed more rows than it may, by the tag of its completion, or was stopped for giving more. */
  past(tag: string): boolean {
    return this.limit !== null && (this.struck || (countOf(tag) ?? 0) > this.limit.rows);
  }

  row(size: number, masked: number): void {
    this.#shown++;
    this.bytes += size;
    this.valuesMasked += masked;
  }

  /** A portal stops half-way: what it has shown counts, and its completion will count the rest only. */
  suspend(): void {
    this.rows += this.#shown;
    this.#shown = 0;
  }

  /** A statement is complete: its tag counts its rows where it counts at all. */
  complete(tag: string): void {
    this.rows += countOf(tag) ?? this.#shown;
    this.#shown = 0;
    if (this.statement === 0) this.#tags = tag;
    else if (this.statement <= MOST_TAGS) this.#tags += this.statement < MOST_TAGS ? `; ${tag}` : "; …";
    this.statement++;
  }

  outcome(): Outcome {
    return {
      rows: this.rows + this.#shown,
      bytes: this.bytes,
      valuesMasked: this.valuesMasked,
      tag: this.#tags,
      error: this.error,
    };
  }
}

interface Pending {
  readonly kind: "define" | "drop";
  readonly changes: Change<Statement>[];
}
/** Of most commands; never added to. */
const NOTHING_PENDING: Pending[] = [];

const MOST_TAGS = 20;
const SPACE = 0x20;

/** The rows of a command's tag (manual, "CommandComplete"); undefined where it counts none. */
function countOf(tag: string): number | undefined {
  let count = 0;
  let at = tag.length - 1;
  for (let unit = 1; at >= 0; at--, unit *= 10) {
    const digit = tag.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) break;
    count += digit * unit;
  }
  const digits = tag.length - 1 - at;
  return digits > 0 && digits <= 15 && (at < 0 || tag.charCodeAt(at) === SPACE) ? count : undefined;
}

/** What becomes of a command that the server skipped because one before it in the pipeline failed. */
export const NOT_RUN = { code: "57014", message: "not run: an earlier command of the pipeline failed" };
