import type { MaskPlan, Parameter, Refusal, TargetSessionAttrs } from "#commands";

/**
 * One protocol, as the enforcer's pipeline drives it. Everything here is pure: bytes in, steps out. Sockets, TLS, time
 * and randomness are the enforcer's; nonces and salts arrive as arguments.
 */
export interface Protocol {
  readonly name: string;
  /** What its commands are written in, and so who understands them. */
  readonly semantics: SemanticsName;
  readonly defaultPort: number;
  /** ALPN names offered for direct TLS; empty where the protocol has none. */
  readonly alpn: readonly string[];
  clientLogin(options: ClientLoginOptions): ClientLogin;
  upstreamLogin(options: UpstreamLoginOptions): UpstreamLogin;
  conversation(options: ConversationOptions): Conversation;
  /** What opens a fresh upstream connection only to cancel what runs under `key`. */
  cancelRequest(key: Uint8Array): Uint8Array;
  /**
   * What is kept of a token's secret (of its secret half only) so that this protocol's login can verify it. `salt`: 16
   * random bytes; with any other number an unknown token could be told from a known one.
   */
  verifier(secret: string, salt: Uint8Array): string;
  connectionSettings(target: ConnectionTarget): ConnectionSettings;
}

export type SemanticsName = "postgresql";

// ---- the client's login ------------------------------------------------------------------------------------------

export interface ClientLoginOptions {
  /** Whether TLS can be offered. Where it can, a login without it is refused unless `allowPlaintext`. */
  readonly tls: boolean;
  readonly allowPlaintext: boolean;
  /** At least 18 random bytes, for this login only. */
  readonly nonce: Uint8Array;
  /** At least 32 random bytes that stay the same while the enforcer runs: makes an unknown token look like a known one. */
  readonly mockKey: Uint8Array;
}

export interface ClientLogin {
  receive(chunk: Uint8Array): readonly ClientLoginStep[];
  /** The answer to `lookup`: the verifier, or null for an unknown token (the login then goes on and fails at its end). */
  verify(verifier: string | null): readonly ClientLoginStep[];
  /** The TLS handshake is done. */
  tlsStarted(tls: ClientTls): readonly ClientLoginStep[];
  /**
   * Ends the login: tells the client it is in, with what the upstream said of itself. `random`: 32 random bytes, for the
   * key the client is given to cancel with, and which a `cancel` step brings back.
   */
  welcome(upstream: UpstreamReady, random: Uint8Array): Welcome;
  /** Ends the login: the native error. */
  refuse(refusal: Refusal): Uint8Array;
  /** What the client sent after its login; it belongs to the conversation. Never plaintext from before TLS. */
  surplus(): Uint8Array;
}

export interface ClientTls {
  /** The `tls-server-end-point` binding (RFC 5929) of the certificate shown, where known. */
  readonly endpoint: Uint8Array | null;
  /** The protocol both sides agreed on (ALPN); empty where the client asked for none. */
  readonly alpn: string;
}

export interface Welcome {
  readonly bytes: Uint8Array;
  readonly cancelKey: Uint8Array;
}

export type ClientLoginStep =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /**
   * Send what came before, then take TLS on the socket and call `tlsStarted`. `received` is the beginning of the client's
   * handshake, where it has come already.
   */
  | { readonly kind: "start-tls"; readonly received: Uint8Array }
  /** The public half of a token: look its verifier up and call `verify`. */
  | { readonly kind: "lookup"; readonly tokenId: string }
  /** The secret is proved. */
  | { readonly kind: "verified"; readonly hello: ClientHello }
  /** Not a login: whoever has this key wants its running command cancelled. Nothing is answered. */
  | { readonly kind: "cancel"; readonly key: Uint8Array }
  /** Send the bytes and close. */
  | { readonly kind: "refuse"; readonly bytes: Uint8Array; readonly refusal: Refusal; readonly tokenId: string };

export interface ClientHello {
  readonly tokenId: string;
  /** Empty where the client named none. */
  readonly database: string;
  readonly application: string;
  /** Start-up settings that may be passed on. */
  readonly settings: ReadonlyMap<string, string>;
}

// ---- the login upstream ------------------------------------------------------------------------------------------

export interface UpstreamLoginOptions {
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly tls: "disable" | "require" | "verify-full";
  readonly settings: ReadonlyMap<string, string>;
  readonly nonce: Uint8Array;
  /** What the server must be. */
  readonly target: Exclude<TargetSessionAttrs, "prefer-standby">;
  /** Speak the oldest version of the protocol: this server would not have the newest. */
  readonly oldest: boolean;
  /** One that remembers its answers saves milliseconds a login. */
  readonly deriveKey?: DeriveKey;
}

/** PBKDF2 with HMAC-SHA-256, 32 bytes (RFC 8018 section 5.2). */
export type DeriveKey = (password: string, salt: Uint8Array, iterations: number) => Uint8Array;

export interface UpstreamLogin {
  start(): readonly UpstreamLoginStep[];
  /** `endpoint` is the `tls-server-end-point` binding (RFC 5929) of the server's certificate, where known. */
  tlsStarted(endpoint: Uint8Array | null): readonly UpstreamLoginStep[];
  receive(chunk: Uint8Array): readonly UpstreamLoginStep[];
}

export type UpstreamLoginStep =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | { readonly kind: "start-tls" }
  | { readonly kind: "ready"; readonly upstream: UpstreamReady }
  /** The refusal is safe to show: it names no upstream user and carries no upstream text that could. */
  | { readonly kind: "failed"; readonly refusal: Refusal; readonly fault: UpstreamFault };

/**
 * - `refused`: another try would end the same.
 * - `passing`: the server is starting up, shutting down, or no server of this protocol at all.
 * - `unsuited`: it is not what `target` asks for.
 * - `version`: it does not have this version of the protocol; try again with `oldest`.
 */
export type UpstreamFault = "refused" | "passing" | "unsuited" | "version";

export interface UpstreamReady {
  /** What the server reported: `server_version`, `TimeZone`, … */
  readonly parameters: ReadonlyMap<string, string>;
  /** What cancels on the upstream. */
  readonly cancelKey: Uint8Array;
  /** Bytes after the login; they belong to the conversation. */
  readonly rest: Uint8Array;
}

// ---- after both logins -------------------------------------------------------------------------------------------

export interface ConversationOptions {
  /** Largest message that is buffered whole, bytes; what is only passed on has no limit. */
  readonly messageLimit: number;
  /** Most bytes kept of what the session has given names; 64 MiB where absent. */
  readonly keptLimit?: number;
  /** What the upstream reported at its login. */
  readonly parameters: ReadonlyMap<string, string>;
  /**
   * Whether to empty what a notification of another session says (NOTIFY payloads); asked at each. It is to be where the
   * resource has labels: a trigger may put a labelled value there.
   */
  readonly scrubNotifications?: () => boolean;
}

/**
 * A session's messages in both directions, as a state machine. The pipeline pushes chunks and pulls steps; a step is
 * dealt with wholly before the next is pulled, so a held command holds everything behind it.
 *
 * `nextClient` gives null while a gate is open, and also while it must see the server's answer to what went before
 * (a name that is being defined, say). So pull it until null after every `pushClient`, after every `allow` and `deny`,
 * and after every round of `nextServer`. What `nextServer` gives as `ask` and what `allow` and `deny` return goes
 * upstream in the order of the calls.
 */
export interface Conversation {
  /** `chunk` is kept until consumed: the caller must not reuse it. */
  pushClient(chunk: Uint8Array): void;
  nextClient(): ClientStep | null;
  /** `chunk` is the conversation's own from here on: what hides a value may take its place in it. */
  pushServer(chunk: Uint8Array): void;
  nextServer(): ServerStep | null;

  /**
   * Lets a gate's message through: what goes upstream now; empty where it has to wait. A command with a limit goes alone:
   * what is behind it waits for its end. A `run` that is let through has an outcome, also where it does not run after all.
   */
  allow(gate: Gate, plan: MaskPlan, limit?: CommandLimit | null): Uint8Array;
  /**
   * Refuses it: the native error arrives in its place in the order of answers, and the session goes on. A refused
   * command has no outcome.
   */
  deny(gate: Gate, refusal: Refusal): { readonly toServer: Uint8Array; readonly toClient: Uint8Array };

  /**
   * The policy has changed: what was let through but not yet run (a bound portal, a half-read cursor) asks again with a
   * `run` gate of its own before it goes on.
   */
  invalidate(): void;

  /**
   * A prepared statement defined by a command's own text (SQL PREPARE), in force once the server confirms the gate. To be
   * called while the gate is open, before `allow`, in the order of the text; so is `dropStatement`.
   */
  defineStatement(gate: Gate, name: string, prepared: Prepared): void;
  /**
   * Calls back when the gate's command is sent to run, with the batch it then belongs to: at once, or when its portal is
   * run, if ever. To be called as `defineStatement`.
   */
  whenRun(gate: Gate, runs: (batch: number) => void): void;
  /**
   * The gate's command runs a prepared statement or a bound portal by its name (SQL EXECUTE, FETCH): should a name change
   * before its own portal is run, it asks again. To be called as `defineStatement`.
   */
  runsByName(gate: Gate): void;
  /**
   * Code that the gate's command runs may close portals that are bound, and open others by their names: what is run by
   * such a name from then on asks anew. To be called as `defineStatement`.
   */
  replacesPortals(gate: Gate): void;
  /** SQL DEALLOCATE; null for ALL. In force once the server confirms the gate. */
  dropStatement(gate: Gate, name: string | null): void;
  /** A prepared statement, whichever way it was made. */
  prepared(name: string): Prepared | undefined;
  /**
   * The last gate that what is bound by this name has passed (see `Gate.portal`, `Gate.again`). Undefined where none is, and
   * where what is under way or has run since may have taken the name for something else.
   */
  bound(name: string): Gate | undefined;

  /**
   * Tells the client something while a command is held: what to send now. Empty where the protocol cannot, and where a
   * message is on its way, which it then follows by itself.
   */
  notice(message: string, detail: string, hint: string): Uint8Array;
  /** The native error that ends a session; empty where half a message is with the client already. */
  goodbye(refusal: Refusal): Uint8Array;
  /** Whether a command runs upstream that a cancel request could stop. */
  readonly busy: boolean;
  /** The last batch that has been answered to its end (ReadyForQuery); 0 before any. */
  readonly answered: number;
  /** What the server last said of the session's transaction (ReadyForQuery). */
  readonly transaction: "idle" | "active" | "failed";
  /** What is known of the commands that have no outcome yet, oldest first: for when the connection is lost. */
  unfinished(): readonly Ended[];
}

/** How many rows a command may give or change. Past it, it fails with the refusal at that row, and nothing is left of it. */
export interface CommandLimit {
  readonly rows: number;
  /** It may change something, which has to be undone. */
  readonly changes: boolean;
  /** The first line of its bulk output is no row. */
  readonly header: boolean;
  readonly refusal: Refusal;
}

export type ClientStep =
  /** Send upstream as it is. */
  | { readonly kind: "forward"; readonly bytes: Uint8Array }
  /** Send to the client. */
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  /** A command asks to pass: decide, then call `allow` or `deny` with it. */
  | { readonly kind: "gate"; readonly gate: Gate }
  /** One that was let through will not run: what went before it has failed. */
  | OutcomeStep
  /** The client said goodbye; forward and close. */
  | { readonly kind: "end"; readonly bytes: Uint8Array }
  /** Not what the protocol says: send the bytes to the client and close. */
  | { readonly kind: "fault"; readonly bytes: Uint8Array; readonly refusal: Refusal };

/**
 * A point where the enforcer decides.
 * - `prepare`: a statement is to be parsed but does not run yet: a deny refuses it here, a hold waits for its `run`.
 * - `run`: it runs if it passes. One `run` gate is one command.
 */
export interface Gate {
  readonly stage: "prepare" | "run";
  /** Within the session, from 1; 0 for `prepare`. */
  readonly ordinal: number;
  readonly text: string;
  readonly parameters: readonly Parameter[];
  /**
   * What fails together: if a command fails, the server skips what follows in its batch (up to Sync), and only then is
   * it sure to have answered. A simple query is a batch of its own. Rises.
   */
  readonly batch: number;
  /** The name this makes or makes anew for what it returns (PostgreSQL Bind), where it has one: SQL may read by it. */
  readonly portal?: string;
  /** The prepared statement that this makes (`prepare`) or runs (`run`), where it is one: the same object each time. */
  readonly prepared?: Prepared;
  /** Asks again for what that gate has bound: the server has settled then what its names mean. */
  readonly again?: Gate;
  /** What its names mean: a note of whoever understands it. */
  meaning: unknown;
  /** When it was let through: a note of whoever measures it. */
  startedAt: number;
  /** Whether the text may hold several statements (the simple query) or only one. */
  readonly several: boolean;
  /** Not SQL text but a call by number (PostgreSQL FunctionCall), where set: the function's OID. */
  readonly functionOid?: number;
  /**
   * Set where the message cannot be carried whoever asks (its text is in no readable encoding): deny it with this.
   * `allow` refuses it all the same.
   */
  readonly refusal?: Refusal;
}

/** A statement that is kept to be run later. */
export interface Prepared {
  readonly text: string;
  /** What its names meant so far: a note of whoever understands it. */
  meanings?: readonly unknown[];
}

export type ServerStep =
  /** Send to the client: verbatim, rewritten or masked. */
  | { readonly kind: "forward"; readonly bytes: Uint8Array }
  /** Send upstream: the conversation needs something of its own. */
  | { readonly kind: "ask"; readonly bytes: Uint8Array }
  /**
   * What runs has gone past its limit: ask the server to cancel it. Pull no further step of the client's until that has
   * been carried out, so that it meets no other command.
   */
  | { readonly kind: "stop" }
  | OutcomeStep
  | { readonly kind: "fault"; readonly bytes: Uint8Array; readonly refusal: Refusal };

/** A command is over. */
export interface OutcomeStep extends Ended {
  readonly kind: "outcome";
}

/** How a command went that was let through. */
export interface Ended {
  readonly gate: Gate;
  /** The batch it ran in: the gate's own, but for what was bound in one and run in another. */
  readonly batch: number;
  readonly outcome: Outcome;
}

export interface Outcome {
  readonly rows: number;
  /** Of data, towards the client, before masking: whole messages. */
  readonly bytes: number;
  readonly valuesMasked: number;
  /** The protocol's own word for what was done (`UPDATE 3`); several are joined by `; `. */
  readonly tag: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

// ---- what an agent needs to connect ------------------------------------------------------------------------------

export interface ConnectionTarget {
  readonly host: string;
  readonly port: number;
  /** The whole token text. */
  readonly token: string;
  readonly database: string;
}

export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly uri: string;
  /** For the protocol's own tools. `${ca}` in a value stands for the path of a file that holds the CA, PEM. */
  readonly environment: Readonly<Record<string, string>>;
}
