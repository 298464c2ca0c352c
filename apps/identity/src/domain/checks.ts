import { Refused } from "#event-store";

export const NAME = /^[a-z][a-z0-9_-]{0,62}$/;

export function checkName(field: string, name: string): void {
  if (NAME.test(name)) return;
  throw invalid(field, `${field} must begin with a letter and have at most 63 of a-z, 0-9, _ and -`);
}

/** A text for people or for comparison: one line, not empty, not endless. */
export function checkText(field: string, text: string, most = 256): void {
  if (text.length > 0 && text.length <= most && !/\p{Cc}/u.test(text)) return;
  throw invalid(field, `${field} must have 1 to ${most} characters and no control characters`);
}

export const invalid = (field: string, message: string): Refused => new Refused("invalid", message, { field });
