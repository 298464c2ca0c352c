export { type Grant, signGrant, verifyGrant } from "./grant.js";
export { PEPPER_BYTES, secretHash, secretMatches } from "./secret-hash.js";
export {
  isTokenId,
  MalformedToken,
  makeToken,
  parseToken,
  TOKEN_ID_BYTES,
  TOKEN_PATTERN,
  TOKEN_SECRET_BYTES,
  type TokenText,
  tokenIdOf,
} from "./token-text.js";
