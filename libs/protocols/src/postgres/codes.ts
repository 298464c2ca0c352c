/** Numbers of the PostgreSQL frontend/backend protocol, 3.0 and 3.2 (manual, "Message Formats"). */

/** First bytes of what a client sends after its login. */
export const CLIENT = {
  Bind: 0x42 /* B */,
  Close: 0x43 /* C */,
  CopyData: 0x64 /* d */,
  CopyDone: 0x63 /* c */,
  CopyFail: 0x66 /* f */,
  Describe: 0x44 /* D */,
  Execute: 0x45 /* E */,
  Flush: 0x48 /* H */,
  FunctionCall: 0x46 /* F */,
  Parse: 0x50 /* P */,
  Password: 0x70 /* p: SASL responses too */,
  Query: 0x51 /* Q */,
  Sync: 0x53 /* S */,
  Terminate: 0x58 /* X */,
} as const;

/** First bytes of what a server sends. */
export const SERVER = {
  Authentication: 0x52 /* R */,
  BackendKeyData: 0x4b /* K */,
  BindComplete: 0x32 /* 2 */,
  CloseComplete: 0x33 /* 3 */,
  CommandComplete: 0x43 /* C */,
  CopyBothResponse: 0x57 /* W */,
  CopyData: 0x64 /* d */,
  CopyDone: 0x63 /* c */,
  CopyInResponse: 0x47 /* G */,
  CopyOutResponse: 0x48 /* H */,
  DataRow: 0x44 /* D */,
  EmptyQueryResponse: 0x49 /* I */,
  ErrorResponse: 0x45 /* E */,
  FunctionCallResponse: 0x56 /* V */,
  NegotiateProtocolVersion: 0x76 /* v */,
  NoData: 0x6e /* n */,
  NoticeResponse: 0x4e /* N */,
  NotificationResponse: 0x41 /* A */,
  ParameterDescription: 0x74 /* t */,
  ParameterStatus: 0x53 /* S */,
  ParseComplete: 0x31 /* 1 */,
  PortalSuspended: 0x73 /* s */,
  ReadyForQuery: 0x5a /* Z */,
  RowDescription: 0x54 /* T */,
} as const;

/** The second word of a packet that opens a connection. */
export const OPENING = {
  cancel: 80877102,
  ssl: 80877103,
  gss: 80877104,
} as const;

/** The first byte of a TLS handshake (RFC 8446, section 5.1): where a connection begins with it, TLS is direct. */
export const TLS_HANDSHAKE = 0x16;
/** The protocol's registered ALPN name. */
export const ALPN = "postgresql";

export const PROTOCOL_MAJOR = 3;
/** The newest minor version the enforcer speaks: 3.2 has cancel keys of up to 256 bytes. */
export const NEWEST_MINOR = 2;

/** The first word of an Authentication message. */
export const AUTHENTICATION = {
  ok: 0,
  cleartext: 3,
  md5: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

export const SCRAM = "SCRAM-SHA-256";
export const SCRAM_PLUS = "SCRAM-SHA-256-PLUS";

/** A transaction's status, in ReadyForQuery. */
export const STATUS = {
  idle: 0x49 /* I */,
  transaction: 0x54 /* T */,
  failed: 0x45 /* E */,
} as const;

/** MAX_STARTUP_PACKET_LENGTH of the server's sources. */
export const OPENING_LIMIT = 10_000;

/** Some of a direction's types. A look-up in a table: it is made for every message. */
export class MessageTypes {
  readonly #has = new Uint8Array(256);

  constructor(types: readonly number[]) {
    for (const type of types) this.#has[type] = 1;
  }

  /** @param type a byte */
  has(type: number): boolean {
    return this.#has[type] === 1;
  }
}
