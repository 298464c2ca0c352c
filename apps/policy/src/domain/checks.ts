import { Refused } from "#event-store";

export const invalid = (field: string, message: string): Refused =>
  new Refused("invalid", `${field}: ${message}`, { field });

/**
 * Makes every check, so that who wrote the definition is told all that is wrong with it at once.
 * @throws Refused `invalid`; of several faults, `faults` in its details has each with its field, as JSON
 */
export function checkAll(...checks: readonly (() => void)[]): void {
  const found = checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      if (error instanceof Refused && error.code === "invalid") return [error];
      throw error;
    }
  });
  const [first] = found;
  if (!first) return;
  if (found.length === 1) throw first;
  const faults = found.flatMap(faultsOf).slice(0, MOST_FAULTS);
  const message = faults.map((fault) => fault.message).join("; ");
  throw new Refused("invalid", message, { ...first.details, faults: JSON.stringify(faults) });
}

/** More at once are no help. */
const MOST_FAULTS = 50;

interface Fault {
  readonly field: string;
  readonly message: string;
}

const faultsOf = ({ details, message }: Refused): readonly Fault[] =>
  details.faults === undefined ? [{ field: details.field ?? "", message }] : JSON.parse(details.faults);

const NAME = /^[a-z][a-z0-9_-]{0,62}$/;
const LABEL_NAME = /^[a-z][a-z0-9_.-]{0,62}$/;

export function checkName(field: string, name: string): void {
  if (!NAME.test(name)) {
    throw invalid(field, `${shown(name)} must begin with a-z and hold at most 63 of a-z, 0-9, "_" and "-"`);
  }
}

/** Dots make families: `pii.email` belongs to `pii`. */
export function checkLabelName(field: string, name: string): void {
  if (!LABEL_NAME.test(name) || name.includes("..") || name.endsWith(".")) {
    throw invalid(
      field,
      `${shown(name)} must begin with a-z and hold at most 63 of a-z, 0-9, "_", "-" and single dots`,
    );
  }
}

/** Text that may go into names, addresses and settings: no control characters. */
export function checkText(field: string, text: string, { least, most }: { least: number; most: number }): void {
  if (text.length < least) throw invalid(field, "must not be empty");
  if (text.length > most) throw invalid(field, `must have at most ${most} characters`);
  if (/\p{Cc}/u.test(text)) throw invalid(field, "must not hold control characters");
}

const shown = (name: string): string => JSON.stringify(name.length > 70 ? `${name.slice(0, 70)}…` : name);
