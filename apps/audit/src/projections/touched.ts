import type { EntityManager } from "typeorm";
import type { AuditEntry } from "#audit-log";
import { type CommandKey, type CommandRow, leaveCommands, loadCommands, storeCommands } from "./command-rows.js";
import {
  type Beginning,
  loadEnforcers,
  loadSessions,
  loseSessionsOf,
  type SessionRow,
  storeBeginning,
  storeSessions,
} from "./session-rows.js";

/**
 * The rows that a batch of entries touches: loaded at once, changed in memory in the entries' order, and stored at once.
 * Sound only while the log's head is locked: nobody else writes them.
 */
export class Touched {
  readonly #sessions: Map<string, SessionRow>;
  /** Of each session, by ordinal. */
  readonly #commands = new Map<string, Map<string, CommandRow>>();
  readonly #began: Map<string, Date>;
  readonly #beginnings: Beginning[] = [];
  readonly #abandoned = new Set<string>();
  /** Sessions that went: what is under way in them beyond the rows loaded is left, too. */
  readonly #left = new Set<string>();

  private constructor(
    /** Of every session that an entry speaks of. */
    private readonly ids: readonly string[],
    sessions: readonly SessionRow[],
    commands: readonly CommandRow[],
    began: ReadonlyMap<string, Date>,
  ) {
    this.#sessions = new Map(sessions.map((session) => [session.id, session]));
    this.#began = new Map(began);
    for (const command of commands) this.addCommand(command);
  }

  static async load(tx: EntityManager, entries: readonly AuditEntry[]): Promise<Touched> {
    const ids = [...new Set(entries.map(({ sessionId }) => sessionId))].filter(Boolean);
    const enforcers = [...new Set(entries.map(enforcerOf))];
    return new Touched(
      ids,
      await loadSessions(tx, ids),
      await loadCommands(tx, keysOf(entries)),
      await loadEnforcers(tx, enforcers),
    );
  }

  session(id: string): SessionRow | undefined {
    return this.#sessions.get(id);
  }

  addSession(session: SessionRow): void {
    this.#sessions.set(session.id, session);
  }

  command(sessionId: string, ordinal: string): CommandRow | undefined {
    return this.#commands.get(sessionId)?.get(ordinal);
  }

  addCommand(command: CommandRow): void {
    const known = this.#commands.get(command.sessionId);
    if (known) known.set(command.ordinal, command);
    else this.#commands.set(command.sessionId, new Map([[command.ordinal, command]]));
  }

  /** Whether the enforcer has begun anew later than `time`. */
  beganAfter(enforcerId: string, time: string): boolean {
    const began = this.#began.get(enforcerId);
    return began !== undefined && began > new Date(time);
  }

  /** An enforcer that begins anew has no session of before. */
  begin(beginning: Beginning): void {
    const { enforcerId, time } = beginning;
    this.#beginnings.push(beginning);
    if (!this.beganAfter(enforcerId, time)) this.#began.set(enforcerId, new Date(time));
    for (const session of this.#sessions.values()) {
      if (session.enforcerId === enforcerId && new Date(session.startedAt) < new Date(time)) this.lose(session);
    }
  }

  /** Whoever had the spool before is gone. */
  abandon(source: string): void {
    this.#abandoned.add(source);
    for (const session of this.#sessions.values()) if (session.source === source) this.lose(session);
  }

  lose(session: SessionRow): void {
    if (session.status !== "open") return;
    session.status = "lost";
    this.leave(session.id);
  }

  /** The session went: nobody saw how what was under way ended; what was held has not left, or would have been started. */
  leave(sessionId: string): void {
    this.#left.add(sessionId);
    for (const command of this.#commands.get(sessionId)?.values() ?? []) {
      if (command.status === "running") command.status = "unknown";
      else if (command.status === "held") command.status = "refused";
    }
  }

  async store(tx: EntityManager): Promise<void> {
    for (const beginning of this.#beginnings) {
      for (const lost of await storeBeginning(tx, beginning, this.ids)) this.#left.add(lost);
    }
    for (const lost of await loseSessionsOf(tx, [...this.#abandoned], this.ids)) this.#left.add(lost);
    // Before the rows in memory: those may have begun after their session was given up.
    await leaveCommands(tx, [...this.#left]);
    await storeSessions(tx, [...this.#sessions.values()]);
    await storeCommands(
      tx,
      [...this.#commands.values()].flatMap((commands) => [...commands.values()]),
    );
  }
}

/** Of a control entry: whichever enforcer it is about, if any. */
export function enforcerOf({ origin, data }: AuditEntry): string {
  const { enforcer_id, stream = "", event } = data as EntryData;
  if (origin !== "control") return String(enforcer_id);
  return event?.enforcer_id ?? event?.id ?? stream.replace(/^enforcer[-/:]/, "");
}

function keysOf(entries: readonly AuditEntry[]): readonly CommandKey[] {
  const keys = new Map<string, CommandKey>();
  for (const { sessionId, data } of entries) {
    const { command, ordinal = command?.ordinal } = data as EntryData;
    if (sessionId !== "" && ordinal !== undefined) keys.set(`${ordinal} ${sessionId}`, { sessionId, ordinal });
  }
  return [...keys.values()];
}

interface EntryData {
  readonly enforcer_id?: string;
  readonly stream?: string;
  readonly event?: { readonly enforcer_id?: string; readonly id?: string };
  readonly ordinal?: string;
  readonly command?: { readonly ordinal?: string };
}
