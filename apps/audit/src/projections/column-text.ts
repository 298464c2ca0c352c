/** A text column has no NUL. */
export const columnText = (value: unknown): string =>
  value === undefined || value === null ? "" : String(value).replaceAll("\0", "\ufffd");
