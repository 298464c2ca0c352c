import { ByteReader, MalformedBytes } from "#bytes";
import type { Refusal } from "#commands";
import type {
  ClientHello,
  ClientLogin,
  ClientLoginOptions,
  ClientLoginStep,
  ClientTls,
  UpstreamReady,
  Welcome,
} from "../../protocol.js";
import {
  ALPN,
  CLIENT,
  NEWEST_MINOR,
  OPENING,
  OPENING_LIMIT,
  PROTOCOL_MAJOR,
  SCRAM,
  SCRAM_PLUS,
  STATUS,
  TLS_HANDSHAKE,
} from "../codes.js";
import { decodeBody } from "../decoder.js";
import { refusalResponse } from "../denial.js";
import {
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  backendKeyData,
  negotiateProtocolVersion,
  parameterStatus,
  readyForQuery,
} from "../encoder.js";
import {
  type ClientFirst,
  mockVerifier,
  parseScramVerifier,
  readClientFirst,
  ScramFailure,
  ScramServer,
} from "./scram.js";
import { readParameters, readStartup, type Startup } from "./startup.js";

const TOKEN_USER = /^foil_([0-9A-Za-z]{1,64})$/;

const NO_TOKEN: Refusal = {
  code: "unauthenticated",
  message: "the user name is not a token",
  hint: "Use the user name and password of the token's connection settings: foil_<id>, and the secret half.",
};
const WRONG: Refusal = {
  code: "unauthenticated",
  message: "password authentication failed",
  hint: "The token may be mistyped, expired, used up or revoked: ask for a new one.",
};
const PLAINTEXT: Refusal = {
  code: "unauthenticated",
  message: "a connection without TLS is refused",
  hint: "Connect with sslmode=require or better.",
};
const NO_ALPN: Refusal = {
  code: "unsupported",
  message: `direct TLS needs the protocol ${ALPN} to be agreed on (ALPN)`,
  hint: "Use a client that offers it, or one that asks for TLS first (sslnegotiation=postgres).",
};
/** Of the secret in a cancel key: protocol 3.0 has room for four bytes; servers of 3.2 give 32. */
const SECRET_LENGTH = { short: 4, long: 32 };
/** Of the whole key: a process id, and up to 256 bytes. */
const KEY_LENGTH = { least: 8, most: 4 + 256 };

/**
 * A client's login (manual, "Message Flow", "SASL Authentication"): TLS, protocol version, start-up settings, and the
 * proof of the token's secret, which never crosses the wire.
 */
export class PostgresClientLogin implements ClientLogin {
  readonly #options: ClientLoginOptions;
  #state: "opening" | "tls" | "first" | "final" | "done" = "opening";
  #buffer = Buffer.alloc(0);
  #encrypted = false;
  /** TLS came first, without having been asked for: a client that does so must say what it wants to speak inside. */
  #direct = false;
  #endpoint: Uint8Array | null = null;
  /** A packet has been read. */
  #spoken = false;
  #startup: Startup | null = null;
  #tokenId = "";
  /** Undefined until `verify` has been called. */
  #verifier: string | null | undefined;
  #first: ClientFirst | null = null;
  #scram: ScramServer | null = null;

  constructor(options: ClientLoginOptions) {
    this.#options = options;
  }

  receive(chunk: Uint8Array): readonly ClientLoginStep[] {
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#buffer, chunk]);
    if (this.#state === "done") return [];
    if (this.#state === "tls")
      return [this.#refused(malformed("bytes arrived between the answer and the TLS handshake"))];
    return this.#advance();
  }

  tlsStarted({ endpoint, alpn }: ClientTls): readonly ClientLoginStep[] {
    this.#encrypted = true;
    this.#endpoint = endpoint;
    if (this.#direct && alpn !== ALPN) return [this.#refused(NO_ALPN)];
    if (this.#state === "tls") this.#state = "opening";
    return [];
  }

  verify(verifier: string | null): readonly ClientLoginStep[] {
    this.#verifier = verifier;
    if (this.#state !== "final" || this.#scram) return [];
    const challenge = this.#challenge();
    // What was sent too early to know the challenge is answered too, and not left to the deadline.
    return [...challenge, ...this.#advance()];
  }

  welcome(upstream: UpstreamReady, random: Uint8Array): Welcome {
    const long = (this.#startup as Startup).minor >= 2;
    // The server's process id: notifications carry it, and clients know their own by it.
    const processId = upstream.cancelKey.length > 0 ? upstream.cancelKey.subarray(0, 4) : new Uint8Array(4);
    const secret = random.subarray(0, long ? SECRET_LENGTH.long : SECRET_LENGTH.short);
    const cancelKey = new Uint8Array(Buffer.concat([processId, secret]));
    const bytes = Buffer.concat([
      authenticationOk(),
      ...[...upstream.parameters].map(([name, value]) => parameterStatus(name, value)),
      backendKeyData(cancelKey),
      readyForQuery(STATUS.idle),
    ]);
    return { bytes, cancelKey };
  }

  refuse(refusal: Refusal): Uint8Array {
    return refusalResponse(refusal, "FATAL");
  }

  surplus(): Uint8Array {
    const surplus = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    return surplus;
  }

  #advance(): readonly ClientLoginStep[] {
    const steps: ClientLoginStep[] = [];
    try {
      for (;;) {
        const more = this.#state === "opening" ? this.#open() : this.#answer();
        if (!more) return steps;
        steps.push(...more);
        if (this.#state === "done" || this.#state === "tls") return steps;
      }
    } catch (error) {
      if (error instanceof MalformedBytes) return [...steps, this.#refused(malformed(error.message))];
      if (error instanceof ScramFailure) {
        return [...steps, this.#refused(error.kind === "failed" ? WRONG : malformed(error.message))];
      }
      throw error;
    }
  }

  // ---- packets without a type: the connection's opening ------------------------------------------------------------

  #open(): readonly ClientLoginStep[] | null {
    if (this.#buffer[0] === TLS_HANDSHAKE && this.#options.tls && !this.#encrypted && !this.#spoken) {
      return this.#startTls({ direct: true });
    }
    if (this.#buffer.length < 8) return null;
    const length = this.#buffer.readInt32BE(0);
    if (length < 8 || length > OPENING_LIMIT) throw new MalformedBytes("this is no PostgreSQL start-up packet");
    if (this.#buffer.length < length) return null;
    const code = this.#buffer.readInt32BE(4);
    const body = this.#buffer.subarray(8, length);
    this.#buffer = this.#buffer.subarray(length);
    this.#spoken = true;
    if (code === OPENING.ssl) return this.#askedForTls();
    if (code === OPENING.gss) return [{ kind: "send", bytes: Buffer.from("N") }];
    if (code === OPENING.cancel) {
      if (body.length < KEY_LENGTH.least || body.length > KEY_LENGTH.most)
        throw new MalformedBytes("the cancel key has the wrong length");
      this.#state = "done";
      return [{ kind: "cancel", key: Uint8Array.from(body) }];
    }
    return this.#start(code >>> 16, code & 0xffff, body);
  }

  #askedForTls(): readonly ClientLoginStep[] {
    if (this.#encrypted) throw new MalformedBytes("TLS was asked for inside TLS");
    if (!this.#options.tls) return [{ kind: "send", bytes: Buffer.from("N") }];
    // What follows unencrypted was put there by somebody else, or would be read as if it were encrypted (CVE-2021-23214).
    if (this.#buffer.length > 0) throw new MalformedBytes("unencrypted bytes follow the request for TLS");
    return [{ kind: "send", bytes: Buffer.from("S") }, ...this.#startTls({ direct: false })];
  }

  #startTls({ direct }: { direct: boolean }): readonly ClientLoginStep[] {
    const received = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    this.#direct = direct;
    this.#state = "tls";
    return [{ kind: "start-tls", received }];
  }

  #start(major: number, minor: number, body: Uint8Array): readonly ClientLoginStep[] {
    if (major !== PROTOCOL_MAJOR) {
      return [
        this.#refused({
          code: "unsupported",
          message: `protocol ${major}.${minor} is not supported`,
          hint: `Use a client that speaks protocol ${PROTOCOL_MAJOR}.0 or ${PROTOCOL_MAJOR}.${NEWEST_MINOR}.`,
        }),
      ];
    }
    const parameters = readParameters(body);
    this.#tokenId = TOKEN_USER.exec(parameters.get("user") ?? "")?.[1] ?? "";
    if (!this.#encrypted && !this.#options.allowPlaintext) return [this.#refused(PLAINTEXT, "28000")];
    if (this.#tokenId === "") return [this.#refused(NO_TOKEN, "28000")];
    const startup = readStartup(minor, parameters);
    if ("code" in startup) return [this.#refused(startup)];
    this.#startup = startup;
    this.#state = "first";
    const steps: ClientLoginStep[] = [];
    if (minor > NEWEST_MINOR || startup.protocolOptions.length > 0) {
      const version = (PROTOCOL_MAJOR << 16) | Math.min(minor, NEWEST_MINOR);
      steps.push({ kind: "send", bytes: negotiateProtocolVersion(version, startup.protocolOptions) });
    }
    const mechanisms = this.#endpoint ? [SCRAM_PLUS, SCRAM] : [SCRAM];
    return [
      ...steps,
      { kind: "send", bytes: authenticationSasl(mechanisms) },
      { kind: "lookup", tokenId: this.#tokenId },
    ];
  }

  // ---- messages: the proof -----------------------------------------------------------------------------------------

  #answer(): readonly ClientLoginStep[] | null {
    const waiting = this.#state === "final" && !this.#scram;
    if (waiting || this.#buffer.length < 5) return null;
    const length = this.#buffer.readInt32BE(1);
    if (this.#buffer[0] !== CLIENT.Password || length < 4 || length > OPENING_LIMIT) {
      throw new MalformedBytes("a SASL response was expected");
    }
    if (this.#buffer.length < length + 1) return null;
    const body = decodeBody(this.#buffer.subarray(0, length + 1));
    this.#buffer = this.#buffer.subarray(length + 1);
    return this.#state === "first" ? this.#initialResponse(body) : this.#finalResponse(body);
  }

  #initialResponse(body: Uint8Array): readonly ClientLoginStep[] {
    const reader = new ByteReader(body);
    const mechanism = reader.cstring();
    if (mechanism !== SCRAM && !(mechanism === SCRAM_PLUS && this.#endpoint)) {
      throw new MalformedBytes("the client chose a SASL mechanism it was not offered");
    }
    const text = Buffer.from(reader.view(reader.int32())).toString("utf8");
    reader.end();
    this.#first = readClientFirst(mechanism, text, this.#endpoint);
    this.#state = "final";
    return this.#verifier === undefined ? [] : this.#challenge();
  }

  #challenge(): readonly ClientLoginStep[] {
    const verifier = this.#verifier
      ? parseScramVerifier(this.#verifier)
      : mockVerifier(this.#options.mockKey, this.#tokenId);
    this.#scram = new ScramServer(this.#first as ClientFirst, verifier, this.#options.nonce, this.#endpoint);
    return [{ kind: "send", bytes: authenticationSaslContinue(this.#scram.challenge) }];
  }

  #finalResponse(body: Uint8Array): readonly ClientLoginStep[] {
    const proof = (this.#scram as ScramServer).finish(Buffer.from(body).toString("utf8"));
    this.#state = "done";
    const { database, settings } = this.#startup as Startup;
    const application = settings.get("application_name") ?? "";
    const hello: ClientHello = { tokenId: this.#tokenId, database, application, settings };
    return [
      { kind: "send", bytes: authenticationSaslFinal(proof) },
      { kind: "verified", hello },
    ];
  }

  #refused(refusal: Refusal, code?: string): ClientLoginStep {
    this.#state = "done";
    this.#buffer = Buffer.alloc(0);
    return { kind: "refuse", bytes: refusalResponse(refusal, "FATAL", code), refusal, tokenId: this.#tokenId };
  }
}

const malformed = (message: string): Refusal => ({ code: "malformed", message });
