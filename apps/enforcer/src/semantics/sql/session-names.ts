import type { Operation } from "#commands";
import type { Conversation } from "#protocols";
import type { SessionEffect, TracedColumn } from "#sql";

/** A cursor that SQL declared. Those of functions and of Bind are not known: they may return anything. */
interface Cursor {
  readonly outputs: readonly TracedColumn[];
  /** What a FETCH does. */
  readonly operations: readonly Operation[];
  /** It outlives its transaction. */
  readonly hold: boolean;
  /** A FETCH unsettles what names mean. */
  readonly unsettles?: true;
  /** Its transaction is over, and it has outlived that. */
  readonly outlived?: true;
  /** Its transaction is over, and nobody knows whether it has outlived that. */
  readonly doubtful?: true;
}

/** What earlier commands of the session have made of its names. Immutable. */
export interface Names {
  /** Null is the session's default. */
  readonly searchPath: readonly string[] | null;
  /** SET LOCAL: until the transaction ends. */
  readonly localPath: readonly string[] | null;
  /** Undefined is the session's own, null one that cannot be known; `none` leads back to whose session it is. */
  readonly role: string | null | undefined;
  /** SET LOCAL ROLE. */
  readonly localRole: string | null | undefined;
  readonly temporary: readonly string[];
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** The search path in force cannot be known. */
  readonly uncertain: boolean;
  /** What made it so may go on until the transaction ends: a portal that is not at its end, a deferred trigger. */
  readonly unsettling: boolean;
}

/** What a COMMIT keeps. */
const LASTING = ["searchPath", "role", "temporary", "uncertain"] as const;

const NO_CURSORS: Names["cursors"] = new Map();
const FRESH: Names = {
  searchPath: null,
  localPath: null,
  role: undefined,
  localRole: undefined,
  temporary: [],
  cursors: NO_CURSORS,
  uncertain: false,
  unsettling: false,
};

/** A batch that changes names or ends a transaction, and what is known of how it went. */
interface Window {
  readonly batch: number;
  changes: boolean;
  /** How often it ends a transaction. */
  ends: number;
  /** Names are changed behind such an end. */
  goesOn: boolean;
  /** It ends a transaction that had changed names: they may be others for what follows in the batch. */
  doubt: boolean;
  failed: boolean;
  rolledBack: boolean;
}

/**
 * Follows search_path, temporary relations and cursors through a session.
 *
 * A command's effects count at once for what follows in its batch: should it fail, the server skips that. What comes in
 * a later batch waits until it is answered to its end: so what its failure, or the end of a transaction in it, takes back
 * is known. Where a batch both changes names and ends a transaction, only its
 * success tells what is in force; else names are uncertain until they are set again, and cursors are forgotten.
 */
export class SessionNames {
  #now = FRESH;
  /** As of the last time no transaction was open. */
  #committed = FRESH;
  #window: Window | null = null;
  #waiting: { readonly batch: number; wake(): void }[] = [];

  /** @param session what the server last said of it: see Conversation. */
  constructor(private readonly session: () => Pick<Conversation, "answered" | "transaction">) {}

  get now(): Names {
    return this.#now;
  }

  get uncertain(): boolean {
    return this.#now.uncertain || this.#window?.doubt === true;
  }

  /** The open transaction has changed what names mean: its end may take that back. */
  get provisional(): boolean {
    const now = this.#now;
    const before = this.#committed;
    // Asked for every command, and mostly so.
    if (now === before) return false;
    return now.localPath !== null || now.localRole !== undefined || LASTING.some((name) => now[name] !== before[name]);
  }

  /** Undefined where the names are certain for a command of this batch, else when they are. */
  settled(batch: number): Promise<void> | undefined {
    if (this.certain(batch)) return undefined;
    return new Promise((wake) => this.#waiting.push({ batch, wake }));
  }

  /** A command goes on its way. */
  sent(batch: number, effects: readonly SessionEffect[]): void {
    for (const effect of effects) {
      const before = this.#now;
      const provisional = this.provisional;
      this.#now = applied(before, effect);
      const ends = effect.kind === "endsTransaction";
      if (this.#now === before && !ends) continue;
      this.#window ??= {
        batch,
        changes: false,
        ends: 0,
        goesOn: false,
        doubt: false,
        failed: false,
        rolledBack: false,
      };
      const window = this.#window;
      if (ends) {
        window.ends++;
        window.doubt ||= provisional;
      } else {
        window.changes = true;
        window.goesOn ||= window.ends > 0;
      }
    }
  }

  /** A command that ran in this batch is over. */
  over(batch: number, tag: string, failed: boolean): void {
    if (this.#window?.batch !== batch) return;
    this.#window.failed ||= failed;
    this.#window.rolledBack ||= /\bROLLBACK\b/.test(tag);
  }

  /** A command was refused: what goes before it in its batch may be undone with it. */
  refused(batch: number): void {
    if (this.#window?.batch === batch) this.#window.failed = true;
  }

  /** The server's answers so far have been dealt with. */
  answered(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const each of waiting) {
      if (this.certain(each.batch)) each.wake();
      else this.#waiting.push(each);
    }
  }

  #close(window: Window, transaction: "idle" | "active" | "failed"): void {
    this.#window = null;
    const { changes, ends, failed, rolledBack } = window;
    const mixed = changes && ends > 0;
    const rolledBackWhole = rolledBack && ends === 1 && !window.goesOn && !failed && transaction === "idle";
    if (mixed && !rolledBackWhole && (failed || rolledBack || transaction !== "idle")) {
      this.#now = this.#committed = unknown(this.#now, this.#committed);
    } else if (transaction === "idle") {
      this.#now = failed || rolledBack ? this.#committed : beyond(this.#now);
      this.#committed = this.#now;
    } else if (transaction === "active" && ends > 0) {
      if (rolledBack)
        this.#now =
          this.uncertain || this.provisional ? unknown(this.#now, this.#committed) : withoutCursors(this.#now);
      // COMMIT AND CHAIN.
      else this.#now = this.#committed = beyond(this.#now);
    }
  }

  /** Whether the names are certain for a command of this batch now. */
  certain(batch: number): boolean {
    const window = this.#window;
    if (!window || window.batch >= batch) return true;
    const { answered, transaction } = this.session();
    if (answered < window.batch) return false;
    this.#close(window, transaction);
    return true;
  }
}

/** What is left when the transaction has ended well: the same object where all is, as texts are known by it. */
function beyond(names: Names): Names {
  const cursors = outlived(names.cursors);
  const { localPath, localRole, unsettling } = names;
  const same = localPath === null && localRole === undefined && !unsettling && cursors === names.cursors;
  return same ? names : { ...names, localPath: null, localRole: undefined, unsettling: false, cursors };
}

const outlived = (cursors: Names["cursors"]): Names["cursors"] =>
  [...cursors.values()].every((cursor) => cursor.outlived)
    ? cursors
    : new Map(
        held(cursors).map(([name, { outputs, operations }]) => [
          name,
          { outputs, operations, hold: true, outlived: true },
        ]),
      );

/** Whether the transaction that ends is committed or rolled back, a text cannot tell. */
const outliving = (cursors: Names["cursors"]): Names["cursors"] =>
  [...cursors.values()].every((cursor) => cursor.outlived)
    ? cursors
    : new Map(held(cursors).map(([name, cursor]) => [name, cursor.outlived ? cursor : { ...cursor, doubtful: true }]));

const held = (cursors: Names["cursors"]) => [...cursors].filter(([, { hold }]) => hold);

/** What a command does to the cursors there are, in its own words and as far as its text tells. */
export function cursorsAfter(cursors: Names["cursors"], effect: SessionEffect): Names["cursors"] {
  if (effect.kind === "declares") return new Map([...cursors, [effect.cursor, effect]]);
  if (effect.kind === "endsTransaction") return outliving(cursors);
  if (effect.kind === "discards" || (effect.kind === "closes" && effect.cursor === null)) return NO_CURSORS;
  if (effect.kind === "unsettles")
    return new Map([...cursors].map(([name, known]) => [name, name === effect.cursor ? known : doubtful(known)]));
  if (effect.kind !== "closes" || !cursors.has(effect.cursor!)) return cursors;
  return new Map([...cursors].filter(([name]) => name !== effect.cursor));
}

const doubtful = (cursor: Cursor): Cursor => (cursor.doubtful ? cursor : { ...cursor, doubtful: true });

const withoutCursors = (names: Names): Names => ({ ...names, cursors: NO_CURSORS });

/** Nobody knows whether what has been changed since is taken back. */
const unknown = (names: Names, since: Names): Names => ({
  ...withoutCursors(names),
  localPath: null,
  role: names.role === since.role && names.localRole === undefined ? names.role : null,
  localRole: undefined,
  uncertain: true,
});

function applied(names: Names, effect: SessionEffect): Names {
  switch (effect.kind) {
    case "searchPath":
      if (names.unsettling) return names;
      return effect.local
        ? { ...names, localPath: effect.path }
        : { ...names, searchPath: effect.path, localPath: null, uncertain: false };
    case "role":
      if (names.role === null) return names;
      if (!effect.local) return { ...names, role: effect.role, localRole: undefined };
      return typeof effect.role === "string"
        ? { ...names, localRole: effect.role }
        : { ...names, role: null, localRole: undefined };
    case "unsettles": {
      const cursors = cursorsAfter(names.cursors, effect);
      return {
        ...names,
        localPath: null,
        role: null,
        localRole: undefined,
        cursors,
        uncertain: true,
        unsettling: true,
      };
    }
    case "createsTemporary":
      return { ...names, temporary: [...new Set([...names.temporary, effect.name])] };
    case "declares":
    case "closes":
    case "endsTransaction": {
      const cursors = cursorsAfter(names.cursors, effect);
      return cursors === names.cursors ? names : { ...names, cursors };
    }
    case "discards":
      return FRESH;
    case "prepares":
    case "executes":
    case "deallocates":
    case "fetches":
    case "changesCatalog":
      return names;
    default:
      return effect satisfies never;
  }
}
