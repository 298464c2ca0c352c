import { createHash } from "node:crypto";
import { FrameAssembler, MalformedBytes, TooLarge } from "#bytes";
import type { Refusal } from "#commands";
import type { UpstreamFault, UpstreamLogin, UpstreamLoginOptions, UpstreamLoginStep } from "../../protocol.js";
import { AUTHENTICATION, NEWEST_MINOR, OPENING_LIMIT, PROTOCOL_MAJOR, SCRAM, SCRAM_PLUS, SERVER } from "../codes.js";
import {
  decodeAuthentication,
  decodeBody,
  decodeFields,
  decodeNegotiateProtocolVersion,
  decodeParameterStatus,
  MESSAGE_FORMAT,
} from "../decoder.js";
import { passwordMessage, saslInitialResponse, saslResponse, sslRequest, startupMessage } from "../encoder.js";
import { type ChannelBinding, ScramClient, ScramFailure } from "./scram.js";
import { unsuited } from "./target.js";

const LATER = "Try again; if it stays so, tell the resource's operator.";
/** What a server, or a pooler in front of one, says to a version of the protocol it has never heard of. */
const UNKNOWN_VERSION = new Set(["0A000", "08P01"]);
/** A value that is wrong (22023, 22P02), a name that is none (42704). */
const SETTING_REFUSED = new Set(["22023", "22P02", "42704"]);
/** A process id and a secret of 1 to 256 bytes; 4 in protocol 3.0. */
const SHORTEST_KEY = 5;
const LONGEST_KEY = 4 + 256;
/** A server reports some 15; poolers and descendants of it some more. */
const MOST_PARAMETERS = 200;

/**
 * The login upstream with the real credential (manual, "Message Flow", "Start-up"). What fails is told without the
 * server's own words: they may name the upstream user, the address it came from or the rule that refused it.
 */
export class PostgresUpstreamLogin implements UpstreamLogin {
  readonly #options: UpstreamLoginOptions;
  readonly #frames = new FrameAssembler(MESSAGE_FORMAT, 10 * OPENING_LIMIT);
  readonly #parameters = new Map<string, string>();
  #state: "new" | "ssl" | "tls" | "login" | "done" = "new";
  #cancelKey: Uint8Array = new Uint8Array(0);
  #endpoint: Uint8Array | null = null;
  #scram: ScramClient | null = null;
  /** The server has asked for a proof, or for none. */
  #asked = false;
  #authenticated = false;
  /** Whether the server has proved, in its turn, that it knows the password; true where the method has no such proof. */
  #proved = true;

  constructor(options: UpstreamLoginOptions) {
    this.#options = options;
  }

  start(): readonly UpstreamLoginStep[] {
    if (this.#options.tls === "disable") return this.#startUp();
    this.#state = "ssl";
    return [{ kind: "send", bytes: sslRequest() }];
  }

  tlsStarted(endpoint: Uint8Array | null): readonly UpstreamLoginStep[] {
    this.#endpoint = endpoint;
    return this.#startUp();
  }

  receive(chunk: Uint8Array): readonly UpstreamLoginStep[] {
    if (this.#state === "done") {
      return [];
    }
    if (this.#state === "ssl") return this.#answeredTls(chunk);
    if (this.#state !== "login") return this.#failed("the resource sent bytes out of turn");
    this.#frames.push(chunk);
    const steps: UpstreamLoginStep[] = [];
    try {
      while (this.#is("login")) {
        const type = this.#frames.next();
        const frame = type < 0 ? null : this.#frames.take();
        if (!frame) return steps;
        steps.push(...this.#message(type, frame));
      }
    } catch (error) {
      if (error instanceof ScramFailure) steps.push(...this.#failed(error.message));
      else if (error instanceof MalformedBytes || error instanceof TooLarge) {
        steps.push(...this.#failed("the resource does not speak PostgreSQL's protocol", "passing"));
      } else throw error;
    }
    return steps;
  }

  #is(state: string): boolean {
    return this.#state === state;
  }

  #startUp(): readonly UpstreamLoginStep[] {
    const { username, database, settings, oldest } = this.#options;
    this.#state = "login";
    const parameters = new Map([
      ["user", username],
      ["database", database],
      ["client_encoding", "UTF8"],
      ...settings,
      // The reading of a statement must not depend on what the database or the role sets.
      ["standard_conforming_strings", "on"],
      ["transform_null_equals", "off"],
    ]);
    const version = (PROTOCOL_MAJOR << 16) | (oldest ? 0 : NEWEST_MINOR);
    return [{ kind: "send", bytes: startupMessage(version, parameters) }];
  }

  #answeredTls(chunk: Uint8Array): readonly UpstreamLoginStep[] {
    // Bytes behind the answer came unencrypted and would be taken for the server's (CVE-2021-23222).
    if (chunk.length > 1 && chunk[0] === 0x53) return this.#failed("the resource sent unencrypted bytes before TLS");
    if (chunk[0] === 0x53 /* S */) {
      this.#state = "tls";
      return [{ kind: "start-tls" }];
    }
    if (chunk[0] === 0x4e /* N */) return this.#failed("the resource offers no TLS");
    return this.#failed("the resource did not answer the request for TLS");
  }

  #message(type: number, frame: Uint8Array): readonly UpstreamLoginStep[] {
    switch (type) {
      case SERVER.Authentication:
        return this.#authenticate(frame);
      case SERVER.ParameterStatus: {
        const { name, value } = decodeParameterStatus(frame);
        this.#parameters.set(name, value);
        if (this.#parameters.size > MOST_PARAMETERS) throw new MalformedBytes("more settings than any server reports");
        return [];
      }
      case SERVER.NegotiateProtocolVersion: {
        const { version, unknown } = decodeNegotiateProtocolVersion(frame);
        const [major, minor] = [version >>> 16, version & 0xffff];
        if (major !== PROTOCOL_MAJOR || minor > NEWEST_MINOR || unknown.length > 0) {
          throw new MalformedBytes("the server negotiates what was not asked for");
        }
        return [];
      }
      case SERVER.BackendKeyData: {
        const key = Uint8Array.from(decodeBody(frame));
        if (key.length < SHORTEST_KEY || key.length > LONGEST_KEY) throw new MalformedBytes("a key of a wrong length");
        this.#cancelKey = key;
        return [];
      }
      case SERVER.NoticeResponse:
        return [];
      case SERVER.ErrorResponse:
        return this.#refused(decodeFields(frame).get("C") ?? "");
      case SERVER.ReadyForQuery: {
        if (!this.#authenticated) throw new MalformedBytes("ready before the login");
        const { target, settings } = this.#options;
        const unfit = unsuited(target, this.#parameters, settings);
        if (unfit) return this.#failed(`the resource ${unfit}`, "unsuited");
        this.#state = "done";
        const rest = Uint8Array.from(this.#frames.drain());
        return [{ kind: "ready", upstream: { parameters: this.#parameters, cancelKey: this.#cancelKey, rest } }];
      }
      default:
        throw new MalformedBytes("not a message of a login");
    }
  }

  #authenticate(frame: Uint8Array): readonly UpstreamLoginStep[] {
    const { method, data } = decodeAuthentication(frame);
    const { username, password } = this.#options;
    const begins = method <= AUTHENTICATION.sasl && method !== AUTHENTICATION.ok;
    if (begins && this.#asked) throw new MalformedBytes("a second proof is asked for");
    this.#asked = true;
    switch (method) {
      case AUTHENTICATION.ok:
        if (!this.#proved) throw new ScramFailure("failed", "the resource did not prove that it knows the password");
        this.#authenticated = true;
        return [];
      case AUTHENTICATION.cleartext:
        return [{ kind: "send", bytes: passwordMessage(password) }];
      case AUTHENTICATION.md5: {
        if (data.length !== 4) throw new MalformedBytes("the salt has the wrong length");
        const inner = md5(Buffer.from(password + username));
        return [{ kind: "send", bytes: passwordMessage(`md5${md5(Buffer.concat([Buffer.from(inner), data]))}`) }];
      }
      case AUTHENTICATION.sasl: {
        const offered = Buffer.from(data).toString("utf8").split("\0");
        const binding = this.#binding(offered);
        if (!binding) return this.#failed("the resource offers no login method the enforcer has");
        this.#scram = new ScramClient(password, this.#options.nonce, binding, this.#options.deriveKey);
        this.#proved = false;
        const mechanism = "endpoint" in binding ? SCRAM_PLUS : SCRAM;
        return [{ kind: "send", bytes: saslInitialResponse(mechanism, this.#scram.first) }];
      }
      case AUTHENTICATION.saslContinue: {
        if (!this.#scram) throw new MalformedBytes("a challenge that was not asked for");
        return [{ kind: "send", bytes: saslResponse(this.#scram.answer(Buffer.from(data).toString("utf8"))) }];
      }
      case AUTHENTICATION.saslFinal:
        this.#proved = this.#scram?.proves(Buffer.from(data).toString("utf8")) ?? false;
        return this.#proved ? [] : this.#failed("the resource did not prove that it knows the password");
      default:
        return this.#failed("the resource asks for a login method the enforcer does not have");
    }
  }

  /** Bound to the channel wherever both sides can. */
  #binding(offered: readonly string[]): ChannelBinding | null {
    const endpoint = this.#endpoint;
    if (endpoint && offered.includes(SCRAM_PLUS)) return { gs2: "p=tls-server-end-point,,", endpoint };
    if (!offered.includes(SCRAM)) return null;
    return { gs2: endpoint ? "y,," : "n,," };
  }

  /** The server's ErrorResponse, by its SQLSTATE only. */
  #refused(code: string): readonly UpstreamLoginStep[] {
    if (!this.#asked && !this.#options.oldest && UNKNOWN_VERSION.has(code)) {
      return this.#failed("the resource does not have this version of the protocol", "version");
    }
    if (code.startsWith("28")) return this.#failed("the resource refused the enforcer's credential");
    if (code === "3D000") {
      return this.#failed(
        `the resource has no database "${this.#options.database}"`,
        "refused",
        "Name another database.",
      );
    }
    if (code === "53300") return this.#failed("the resource has no connection left");
    if (code.startsWith("57P")) return this.#failed("the resource is starting up or shutting down", "passing");
    if (SETTING_REFUSED.has(code)) {
      const message = "the resource does not accept the value of a start-up setting";
      return this.#failed(message, "refused", "Correct the connection's settings: PGOPTIONS, PGTZ and the like.");
    }
    return this.#failed(
      `the resource refused the connection (SQLSTATE ${/^[0-9A-Z]{5}$/.test(code) ? code : "unknown"})`,
    );
  }

  #failed(message: string, fault: UpstreamFault = "refused", hint = LATER): readonly UpstreamLoginStep[] {
    this.#state = "done";
    const refusal: Refusal = { code: "unavailable", message, hint };
    return [{ kind: "failed", refusal, fault }];
  }
}

const md5 = (data: Uint8Array) => createHash("md5").update(data).digest("hex");
