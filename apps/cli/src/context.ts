import { InvalidArgumentError } from "commander";
import type { ApiClient } from "./api-client.js";
import type { Settings } from "./settings.js";

/** What a command gets to work with. */
export interface Context {
  settings(): Settings;
  client(): ApiClient;
  readonly env: NodeJS.ProcessEnv;
  print(text: string): void;
}

/** Reads an option that is a whole number from `least` to `most`. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };

/** Of a list that is read in pages. */
export const MOST_LISTED = 1_000_000;
