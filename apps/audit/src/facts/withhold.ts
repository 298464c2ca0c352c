import type { Json } from "#audit-log";

/** Names of what proves or opens something. The references to credentials (`env:…`, `file:…`) are not secret. */
const SECRET_NAME =
  /secret|verifier|password|passphrase|pepper|salt|seed|scram|stored_?key|server_?key|private_?key|api_?key$|key_?hash|^hash$/i;
/** The secret half of a token's text, whoever typed it where; and private keys. */
const SECRET_TEXT = /(foil_[A-Za-z0-9]+_)[A-Za-z0-9]{16,}/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?(?:-----END \1PRIVATE KEY-----|$)/g;

const WITHHELD = "[withheld]";

/** The same without secrets, and with every text well formed: what may stand in a log for ever. */
export function withhold(value: unknown): Json {
  if (typeof value === "string") return withholdText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value === null || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(withhold);
  if (typeof value !== "object") return null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, held]) => held !== undefined)
      .map(([name, held]) => [wellFormed(name), holdsSecret(name, held) ? WITHHELD : withhold(held)]),
  );
}

const withholdText = (text: string): string =>
  wellFormed(text).replace(SECRET_TEXT, `$1${WITHHELD}`).replace(PRIVATE_KEY, WITHHELD);

const holdsSecret = (name: string, held: unknown) =>
  SECRET_NAME.test(name) && held !== "" && held !== null && typeof held !== "boolean" && typeof held !== "number";
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, "\ufffd");
