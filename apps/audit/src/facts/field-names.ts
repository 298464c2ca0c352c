/** Their keys are data, not names of ours. */
const MAPS = new Set(["requiredClaims", "options"]);

/** The same with the fields named as the REST API names them: `sessionId` is `session_id`. */
export function apiNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(apiNames);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => [apiName(name), MAPS.has(name) ? held : apiNames(held)]),
  );
}

const apiName = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
