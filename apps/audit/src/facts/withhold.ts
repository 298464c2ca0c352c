import type { Json } from "#audit-log";

/** Names of what proves or opens something. The references to credentials (`env:…`, `file:…`) are not secret. */
const SECRET_NAME =
  /secret|verifier|password|passphrase|pepper|salt|seed|scram|stored_?key|server_?key|private_?key|api_?key$|key_?hash|^hash$/i;
/** The secret half of a token's text, whoever typed it where; and private keys. */
const SECRET_TEXT = /(foil_[A-Za-z0-9]+_)[A-Za-z0-9]{16,}/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?(?:-----END \1PRIVATE KEY-----|$)/g;

const SURROGATE = /[\ud800-\udfff]/;

const WITHHELD = "[withheld]";

/** The same without secrets, and with every text well formed: what may stand in a log for ever. */
export function withhold(value: unknown): Json {
  if (typeof value === "string") return withholdText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value === null || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(withhold);
  if (typeof value !== "object") return null;
  const kept: [string, Json][] = [];
  for (const [name, held] of Object.entries(value)) {
    if (held !== undefined) kept.push([wellFormed(name), holdsSecret(name, held) ? WITHHELD : withhold(held)]);
  }
  return Object.fromEntries(kept);
}

function withholdText(text: string): string {
  const known = wellFormed(text);
  // Few texts have these in them, and looking is far cheaper than replacing.
  const tokens = known.includes("foil_") ? known.replace(SECRET_TEXT, `$1${WITHHELD}`) : known;
  return tokens.includes("PRIVATE KEY-----") ? tokens.replace(PRIVATE_KEY, WITHHELD) : tokens;
}

const holdsSecret = (name: string, held: unknown) =>
  held !== "" && held !== null && typeof held !== "boolean" && typeof held !== "number" && isSecretName(name);

/** The names of fields come again and again; those of whatever else are not remembered without end. */
const MOST_NAMES = 1_000;
const secretNames = new Map<string, boolean>();

function isSecretName(name: string): boolean {
  let secret = secretNames.get(name);
  if (secret === undefined) {
    secret = SECRET_NAME.test(name);
    if (secretNames.size < MOST_NAMES) secretNames.set(name, secret);
  }
  return secret;
}

const wellFormed = (text: string) => (SURROGATE.test(text) ? text.replace(/\p{Surrogate}/gu, "\ufffd") : text);
