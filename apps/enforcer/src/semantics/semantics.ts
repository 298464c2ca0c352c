import type { Bundle, Command, MaskPlan, NativeError, Refusal, ResourcePart, Verdict } from "#commands";
import type { CommandLimit, Conversation, Ended, Gate } from "#protocols";
import type { Clock } from "../clock.js";
import type { Upstreams } from "../connection/upstreams.js";
import type { Log } from "../log.js";
import type { PolicyKeeper } from "../policy/policy-keeper.js";
import type { Recorder } from "../recorder/recorder.js";

/**
 * What the commands of a protocol mean: what each does, to what, and where the values of its answer come from. A protocol
 * says by name whose it is; the rest of the enforcer knows none of them. One a node, shared by its sessions.
 */
export interface Semantics {
  /** Why a session may not start with these settings; null where it may. */
  refusesSettings(settings: ReadonlyMap<string, string>): Refusal | null;
  /** Learns of the resource what its sessions will need. @throws what the resource or the network says */
  prepare(resource: ResourcePart): Promise<void>;
  /** What is known of the resource is no longer so: a session elsewhere in the node has changed it. */
  renew(resource: ResourcePart): void;
  /** For one session on a resource that was prepared. */
  open(session: OpenSession): SessionSemantics;
  close(): Promise<void>;
}

/** What the semantics of all protocols are made of. */
export interface SemanticsParts {
  readonly policy: Pick<PolicyKeeper, "current">;
  readonly recorder: Pick<Recorder, "record">;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the `hash` transform: 32 bytes. */
  readonly hashKey: Uint8Array;
  /** To be told when a session has changed what commands on its resource mean. */
  readonly resourceChanged: (resource: string) => void;
}

export interface OpenSession {
  readonly resource: ResourcePart;
  /** What the client started with. */
  readonly settings: ReadonlyMap<string, string>;
  readonly conversation: Conversation;
}

/** A command as it is decided and recorded. Cached by who made it; never changed. */
export interface Understood extends Pick<Command, "operations" | "uses" | "statementCount" | "fingerprint"> {
  /** What it runs by name and its text does not show, a line each: a person who approves must see it. */
  readonly standsFor?: string;
  /** Why what it does cannot be told, in sentences. Not empty: it is to be denied. */
  readonly problems: readonly string[];
  /** The first of `problems` in the resource's own words, where the command would fail there too. */
  readonly error?: NativeError;
}

/** What a verdict comes to for a command. Never changed. */
export interface Terms {
  /** Why the verdict's limit on its rows could not be kept; null where it can. */
  readonly unlimitable: Refusal | null;
  /** How many rows it may give or change, where that is limited; it is not `unlimitable`. */
  readonly limit: CommandLimit | null;
  readonly plan: MaskPlan;
  /** The names of the labels the plan hides, as far as can be told before it runs. */
  readonly labelsMasked: readonly string[];
  /** Whether it changes nothing: a weaker durability may do for its record. */
  readonly reads: boolean;
}

/** One session's commands. What it is given as `understood` or `terms` came from itself. */
export interface SessionSemantics {
  /** Synchronous for what has been seen before. */
  understand(gate: Gate): Understood | Promise<Understood>;
  /** What is understood next is by the resource as it is now, as far as that can be read. */
  refresh(): Promise<void>;
  /**
   * Behind a wait, by the resource as it is at this moment, also where it was changed past the enforcer.
   * @returns null where it no longer does what it did `before`, or where that cannot be told
   */
  understandAgain(gate: Gate, before: Understood): Promise<Understood | null>;
  /**
   * By what is known of the resource now. The same object as long as that is.
   * @param bundle the verdict's own, also where another is in force by now: that may call its labels by other names
   */
  terms(understood: Understood, verdict: Verdict, bundle: Bundle): Terms;
  /**
   * Whether it changes only what is taken back should the connection be lost before a later command lets it last: till
   * then a weaker durability may do for its record.
   */
  revocable(gate: Gate, terms: Terms): boolean;
  /** The command is on its way, with what it does to the session. */
  sent(gate: Gate, understood: Understood, terms: Terms): void;
  refused(gate: Gate): void;
  /** A command has ended. */
  over(ended: Ended): void;
  /** The answers so far have been dealt with. */
  settled(): void;
  /** The session is over; what it began may still come about. */
  close(): void;
}
