import { base62, base62Length } from "./base62.js";
import { crc32 } from "./crc32.js";

/** Random bytes a token is made of: 96 bits of id, 192 bits of secret. */
export const TOKEN_ID_BYTES = 12;
export const TOKEN_SECRET_BYTES = 24;

const PREFIX = "foil_";
const ID_LENGTH = base62Length(TOKEN_ID_BYTES);
const SECRET_LENGTH = base62Length(TOKEN_SECRET_BYTES);
const CHECKSUM_LENGTH = base62Length(4);
const PASSWORD_LENGTH = SECRET_LENGTH + CHECKSUM_LENGTH;

/** A token in its parts. The whole text is for where a protocol has one field, the halves for where it has two. */
export interface TokenText {
  /** The public half, without `foil_`. */
  readonly id: string;
  /** `foil_<id>_<secret><checksum>`. */
  readonly text: string;
  /** `foil_<id>`. */
  readonly userName: string;
  /** `<secret><checksum>`: what verifiers are made of. */
  readonly password: string;
}

/** What is wrong with a text that should be a token. Says nothing of what the text contains. */
export class MalformedToken extends Error {
  override readonly name = "MalformedToken";
  constructor(
    readonly fault: "prefix" | "form" | "checksum",
    message: string,
  ) {
    super(message);
  }
}

/**
 * Makes a token of random bytes.
 * @param id TOKEN_ID_BYTES random bytes.
 * @param secret TOKEN_SECRET_BYTES random bytes.
 */
export function makeToken(id: Uint8Array, secret: Uint8Array): TokenText {
  if (id.length !== TOKEN_ID_BYTES || secret.length !== TOKEN_SECRET_BYTES) {
    throw new RangeError(`a token is made of ${TOKEN_ID_BYTES} and ${TOKEN_SECRET_BYTES} random bytes`);
  }
  return assemble(base62(id), base62(secret));
}

/**
 * Takes a token apart and checks its form, not its validity.
 * @throws MalformedToken
 */
export function parseToken(text: string): TokenText {
  if (!text.startsWith(PREFIX)) throw new MalformedToken("prefix", `a token begins with "${PREFIX}"`);
  const found = FORM.exec(text);
  if (!found) {
    throw new MalformedToken(
      "form",
      "this is no whole token: it is cut off, too long, or has characters it cannot have",
    );
  }
  const token = assemble(found[1]!, found[2]!);
  if (token.text !== text)
    throw new MalformedToken("checksum", "the token's checksum is wrong: it was mistyped or changed");
  return token;
}

/** The token id in a user name (`foil_<id>`), or null where it is none. */
export function tokenIdOf(userName: string): string | null {
  return USER_NAME.exec(userName)?.[1] ?? null;
}

/** Whether this could be a token's id. */
export const isTokenId = (id: string): boolean => ID.test(id);

/** Finds tokens, or their secret halves behind a colon, in any text: for scanners and redaction. */
export const TOKEN_PATTERN = new RegExp(
  `${PREFIX}[0-9A-Za-z]{${ID_LENGTH}}(?:_|:)[0-9A-Za-z]{${PASSWORD_LENGTH}}(?![0-9A-Za-z_])`,
  "g",
);

const FORM = new RegExp(
  `^${PREFIX}([0-9A-Za-z]{${ID_LENGTH}})_([0-9A-Za-z]{${SECRET_LENGTH}})[0-9A-Za-z]{${CHECKSUM_LENGTH}}$`,
);
const USER_NAME = new RegExp(`^${PREFIX}([0-9A-Za-z]{${ID_LENGTH}})$`);
const ID = new RegExp(`^[0-9A-Za-z]{${ID_LENGTH}}$`);

function assemble(id: string, secret: string): TokenText {
  const userName = `${PREFIX}${id}`;
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(`${userName}_${secret}`));
  const password = `${secret}${base62(checksum)}`;
  return { id, text: `${userName}_${password}`, userName, password };
}
