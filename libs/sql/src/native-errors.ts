import type { NativeError } from "#commands";

/** What PostgreSQL says of commands that name or spell what is not (manual, "PostgreSQL Error Codes"). */

export const syntaxError = (message: string, position: number): NativeError => ({ code: "42601", message, position });

export const SEVERAL_IN_ONE: NativeError = {
  code: "42601",
  message: "cannot insert multiple commands into a prepared statement",
};

/** Drivers know it, and prepare the statement anew. */
export const OTHER_TABLES: NativeError = { code: "0A000", message: "cached plan must not change result type" };

export const noSuchStatement = (name: string): NativeError => ({
  code: "26000",
  message: `prepared statement "${name}" does not exist`,
});
