import type { Hide } from "./mask.js";
import type { PgType } from "./types/pg-type.js";

/** One way of hiding. */
export interface TransformDefinition {
  /** Nothing of the value shows, not even whether two are equal: fit for expressions over a labelled column too. */
  readonly whole: boolean;
  /** What is wrong with the options, as a sentence, or null. */
  check(options: Options): string | null;
  /**
   * How values of a type are hidden in a format; `context.whole` where the type leaves no other way. The options have
   * passed `check`. Called once per column, type and format. What `Hide` throws before it has written anything hides the
   * value whole.
   */
  hide(context: HideContext): Hide;
}

export type Options = Readonly<Record<string, string>>;

export interface HideContext {
  readonly options: Options;
  readonly type: PgType;
  readonly format: "text" | "binary";
  readonly hashKey: Uint8Array;
  /** Hides the whole value in a way that is right for the type. */
  readonly whole: Hide;
}

/** The first option that the transform does not have, as a problem. */
export function unknownOption(options: Options, known: readonly string[]): string | null {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return null;
  const has = known.length === 0 ? "it has none" : `it has ${known.map((name) => `\`${name}\``).join(", ")}`;
  return `has no option \`${unknown}\`: ${has}`;
}

/** What is wrong with a whole number in an option, or null; an absent one is fine. */
export function numberProblem(options: Options, name: string, least: number, most: number): string | null {
  const text = options[name];
  if (text === undefined) return null;
  if (/^\d{1,6}$/.test(text) && Number(text) >= least && Number(text) <= most) return null;
  return `needs a whole number from ${least} to ${most} in \`${name}\``;
}
