import type { SqlContext } from "./catalog.js";
import type { Understanding } from "./understanding.js";

export interface UnderstanderOptions {
  /** Largest text, UTF-16 units. Default 1 MiB. */
  readonly maxLength?: number;
  /** What one statement may take to parse, milliseconds, before its worker is replaced. Default 5000. */
  readonly timeLimitMs?: number;
  /** Texts remembered. Default 10000. */
  readonly cacheSize?: number;
}

/** Says what SQL does. Never throws for what a text holds: what is not understood has `problems`. */
export interface Understander {
  /** What is already known of the text in this context; undefined: ask `understand`. */
  lookup(text: string, context: SqlContext): Understanding | undefined;
  understand(text: string, context: SqlContext): Promise<Understanding>;
  /** A call by number (FunctionCall message). */
  functionCall(oid: number, context: SqlContext): Understanding;
  close(): Promise<void>;
}

export declare function createUnderstander(options?: UnderstanderOptions): Understander;
