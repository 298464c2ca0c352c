import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import type { DeriveKey } from "../../protocol.js";
import { SCRAM, SCRAM_PLUS } from "../codes.js";

/** SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, in the shape PostgreSQL gives it: the user name is ignored. */

const hmac = (key: Uint8Array, data: Uint8Array | string) => createHmac("sha256", key).update(data).digest();
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

function xor(left: Uint8Array, right: Uint8Array): Buffer {
  const out = Buffer.from(left);
  for (let index = 0; index < out.length; index++) out[index] = (out[index] as number) ^ (right[index] as number);
  return out;
}

/** Strict: what does not encode back to itself is null. */
function unbase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}

/** Why a SCRAM exchange ended. `malformed`: not what the RFC says; `failed`: the proof is wrong. */
export class ScramFailure extends Error {
  override readonly name = "ScramFailure";
  constructor(
    readonly kind: "malformed" | "failed",
    message: string,
  ) {
    super(message);
  }
}

const malformed = (message: string) => new ScramFailure("malformed", message);

// ---- verifiers -----------------------------------------------------------------------------------------------------

/** What a server keeps of a password. */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

const pbkdf2: DeriveKey = (password, salt, iterations) => pbkdf2Sync(password, salt, iterations, 32, "sha256");

function keys(password: string, salt: Uint8Array, iterations: number, deriveKey = pbkdf2) {
  const salted = deriveKey(saslPrep(password), salt, iterations);
  const clientKey = hmac(salted, "Client Key");
  return { clientKey, storedKey: sha256(clientKey), serverKey: hmac(salted, "Server Key") };
}

/** PostgreSQL's own default, and the least that RFC 7677 allows. */
const ITERATIONS = 4096;

/** In the format of PostgreSQL's `pg_authid.rolpassword`: `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`. */
export function scramVerifier(password: string, salt: Uint8Array, iterations = ITERATIONS): string {
  const { storedKey, serverKey } = keys(password, salt, iterations);
  return `${SCRAM}$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
}

/** @throws Error where the text is no verifier: the message does not repeat it. */
export function parseScramVerifier(text: string): ScramVerifier {
  const match = /^SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(text);
  const [salt, storedKey, serverKey] = (match?.slice(2) ?? []).map(unbase64);
  if (!match || !salt || storedKey?.length !== 32 || serverKey?.length !== 32) {
    throw new Error("not a SCRAM-SHA-256 verifier");
  }
  return { iterations: Number(match[1]), salt, storedKey, serverKey };
}

/**
 * A verifier no password fits, always the same for one token id: asking twice does not tell that the id is unknown
 * (RFC 5802, section 9).
 */
export function mockVerifier(mockKey: Uint8Array, tokenId: string): ScramVerifier {
  const derive = (what: string) => hmac(mockKey, `${what}\0${tokenId}`);
  return {
    iterations: ITERATIONS,
    salt: derive("salt").subarray(0, 16),
    storedKey: derive("stored key"),
    serverKey: derive("server key"),
  };
}

// ---- the server's side ---------------------------------------------------------------------------------------------

/** `client-first-message` (RFC 5802, section 7), read before the verifier is known. */
export interface ClientFirst {
  /** `n,,`, `y,,` or `p=tls-server-end-point,,`. */
  readonly gs2: string;
  readonly bare: string;
  readonly nonce: string;
}

/** @throws ScramFailure */
export function readClientFirst(mechanism: string, text: string, endpoint: Uint8Array | null): ClientFirst {
  const match = /^((?:n|y|p=([A-Za-z0-9.-]+)),([^,]*),)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(text);
  if (!match) throw malformed("the client's first SCRAM message is malformed");
  const [, gs2, binding, authzid, bare, nonce] = match as unknown as string[];
  if (authzid) throw malformed("the client asks for another identity, which is not supported");
  if (mechanism === SCRAM_PLUS) {
    if (binding !== "tls-server-end-point") throw malformed("only tls-server-end-point channel binding is supported");
  } else if (binding !== undefined) {
    throw malformed("the client binds the channel in a mechanism without channel binding");
  } else if (gs2?.startsWith("y") && endpoint) {
    throw malformed("the client supports channel binding but was not offered it: somebody may be in between");
  }
  return { gs2: gs2 as string, bare: bare as string, nonce: nonce as string };
}

/** The server's half of one exchange, from its challenge on. */
export class ScramServer {
  readonly #first: ClientFirst;
  readonly #verifier: ScramVerifier;
  readonly #nonce: string;
  readonly #endpoint: Uint8Array;
  /** `server-first-message`. */
  readonly challenge: string;

  constructor(first: ClientFirst, verifier: ScramVerifier, nonce: Uint8Array, endpoint: Uint8Array | null) {
    this.#first = first;
    this.#verifier = verifier;
    this.#nonce = first.nonce + base64(nonce);
    this.#endpoint = first.gs2.startsWith("p=") ? (endpoint ?? new Uint8Array(0)) : new Uint8Array(0);
    this.challenge = `r=${this.#nonce},s=${base64(verifier.salt)},i=${verifier.iterations}`;
  }

  /**
   * Checks `client-final-message`.
   * @returns `server-final-message`.
   * @throws ScramFailure
   */
  finish(text: string): string {
    const match = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,[^,]+)*),p=([A-Za-z0-9+/=]+)$/s.exec(text);
    const proof = match && unbase64(match[4] as string);
    if (!match || proof?.length !== 32) throw malformed("the client's final SCRAM message is malformed");
    if (match[3] !== this.#nonce) throw malformed("the client's SCRAM nonce is not the one it was given");
    const binding = Buffer.concat([Buffer.from(this.#first.gs2), this.#endpoint]);
    if (match[2] !== base64(binding)) throw new ScramFailure("failed", "the channel binding does not match");
    const message = `${this.#first.bare},${this.challenge},${match[1]}`;
    const clientKey = xor(proof, hmac(this.#verifier.storedKey, message));
    if (!timingSafeEqual(sha256(clientKey), this.#verifier.storedKey)) {
      throw new ScramFailure("failed", "the proof is wrong");
    }
    return `v=${base64(hmac(this.#verifier.serverKey, message))}`;
  }
}

// ---- the client's side ---------------------------------------------------------------------------------------------

/** More than this and a server could stop the event loop for seconds. */
const MOST_ITERATIONS = 1_000_000;

/**
 * How a client stands to channel binding (RFC 5802, section 6): it binds, it would but was not offered it, it cannot.
 * The second lets a server that did offer it notice that somebody took the offer out.
 */
export type ChannelBinding =
  | { readonly gs2: "p=tls-server-end-point,,"; readonly endpoint: Uint8Array }
  | { readonly gs2: "y,," | "n,," };

const UNBOUND: ChannelBinding = { gs2: "n,," };

/** The client's half of one exchange. */
export class ScramClient {
  readonly #password: string;
  readonly #nonce: string;
  readonly #binding: ChannelBinding;
  readonly #deriveKey: DeriveKey;
  #expected: string | null = null;

  constructor(password: string, nonce: Uint8Array, binding: ChannelBinding = UNBOUND, deriveKey = pbkdf2) {
    this.#deriveKey = deriveKey;
    this.#password = password;
    this.#nonce = base64(nonce);
    this.#binding = binding;
  }

  /** `client-first-message`. */
  get first(): string {
    return `${this.#binding.gs2}${this.#bare}`;
  }

  get #bare(): string {
    return `n=,r=${this.#nonce}`;
  }

  /**
   * @returns `client-final-message` for the server's challenge.
   * @throws ScramFailure
   */
  answer(challenge: string): string {
    const match = /^r=([^,]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,.*)?$/s.exec(challenge);
    const salt = match && unbase64(match[2] as string);
    if (!match || !salt) throw malformed("the server's SCRAM challenge is malformed");
    const nonce = match[1] as string;
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce)
      throw malformed("the server's SCRAM nonce is not ours");
    const iterations = Number(match[3]);
    if (iterations < 1 || iterations > MOST_ITERATIONS) throw malformed("the server's SCRAM iteration count is absurd");
    const { clientKey, storedKey, serverKey } = keys(this.#password, salt, iterations, this.#deriveKey);
    const endpoint = "endpoint" in this.#binding ? this.#binding.endpoint : new Uint8Array(0);
    const binding = Buffer.concat([Buffer.from(this.#binding.gs2), endpoint]);
    const withoutProof = `c=${base64(binding)},r=${nonce}`;
    const message = `${this.#bare},${challenge},${withoutProof}`;
    this.#expected = `v=${base64(hmac(serverKey, message))}`;
    return `${withoutProof},p=${base64(xor(clientKey, hmac(storedKey, message)))}`;
  }

  /** Whether `server-final-message` proves that the server knows the verifier. */
  proves(final: string): boolean {
    const expected = this.#expected;
    return (
      expected !== null &&
      final.length === expected.length &&
      timingSafeEqual(Buffer.from(final), Buffer.from(expected))
    );
  }
}

// ---- passwords -----------------------------------------------------------------------------------------------------

const MAPPED_TO_NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu;
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu;
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Cn}\u06dd\u070f\u180e\u200e\u200f\u2028-\u202e\u2061-\u2063\u206a-\u206f\u2ff0-\u2ffb\ufff9-\ufffd\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]|\u0340|\u0341/u;

/** SASLprep (RFC 4013) as PostgreSQL applies it: a password it prohibits is used as it is. */
export function saslPrep(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password;
  const prepared = password.replace(OTHER_SPACES, " ").replace(MAPPED_TO_NOTHING, "").normalize("NFKC");
  return prepared === "" || PROHIBITED.test(prepared) ? password : prepared;
}
