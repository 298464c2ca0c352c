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

/** A whole number in an option. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
