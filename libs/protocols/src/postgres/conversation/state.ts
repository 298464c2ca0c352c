import type { Refusal } from "#commands";
import type { ConversationOptions, Ended, OutcomeStep } from "../../protocol.js";
import { STATUS } from "../codes.js";
import { NOT_RUN, type Reading, type RunningCommand } from "../commands.js";
import type { WireValue } from "../messages.js";
import { type Answer, Answers } from "./answers.js";
import { CopyIn } from "./copy-in.js";
import { type Change, Names } from "./names.js";
import { PortalEnds } from "./portal-ends.js";
import { keptTooMuch } from "./refusals.js";
import type { Portal, Statement } from "./statements.js";

/** Bytes that a session keeps of statements and portals that have names, by default. */
const MOST_KEPT = 64 << 20;
/** What a name costs, whatever it stands for. */
const NAME_SIZE = 1024;
/** What a value costs besides its bytes. */
const VALUE_SIZE = 64;
const sizeOf = ({ bytes }: WireValue) => VALUE_SIZE + (bytes?.length ?? 0);

/** Settings the server reports that change how it reads a text. */
const READING = new Set(["client_encoding", "server_encoding", "standard_conforming_strings"]);

/** What both directions of a session share. */
export class SessionState {
  readonly answers = new Answers();
  readonly copyIn = new CopyIn(this.answers);
  readonly statements = new Names<Statement>(({ prepared }) => NAME_SIZE + prepared.text.length);
  readonly portals = new Names<Portal>(({ bind }) =>
    bind.values.reduce((size, value) => size + sizeOf(value), NAME_SIZE),
  );
  /** Of the transaction, as the server last said. */
  status: number = STATUS.idle;
  /** Counts what ends a segment of the pipeline: Sync, Query, FunctionCall. */
  segment = 1;
  /** The last segment that ReadyForQuery has ended. */
  answered = 0;
  /** Extended messages were sent since the last Sync or Query: an implicit transaction may be open. */
  unsynced = false;
  /** The server was asked for the answers it keeps back until a Sync, and nothing was sent since. */
  flushed = false;
  /** The server has failed, or is sure to, and skips everything up to a Sync that has not been sent yet. */
  skipping = false;
  /** Counts what was sent that can take a name for something else: what runs, and what has code run as it is planned. */
  runs = 0;
  /** Counts policies. */
  epoch = 0;
  ordinal = 0;
  /** Bytes of what asked and passed since everything was last answered: as much is kept of it. */
  unanswered = 0;
  /** A gate is given out: the client's next message waits for its decision. */
  asking = false;
  reading: Reading = { encoding: "utf8", escapes: false };
  /**
   * The last segment whose command's texts must be scrubbed; 0 where none must. It lasts to the transaction's end: a
   * deferred constraint speaks at the COMMIT.
   */
  scrubbing = 0;

  /** The command with a limit that is on its way or running: nothing goes behind it. */
  limited: RunningCommand | null = null;
  /** That command has not been sent yet. */
  holding = false;
  /** What the conversation itself has to send upstream before anything else. */
  readonly due: Uint8Array[] = [];

  readonly #portalEnds = new PortalEnds();
  /** What of the server's settings says how it reads texts. */
  readonly #parameters = new Map<string, string>();
  /** In no order: each knows its place. */
  readonly #running: RunningCommand[] = [];
  /** Portals of segments that are not over. */
  #bound: Portal[] = [];
  /** Outcomes that wait to be told. */
  readonly outcomes: OutcomeStep[] = [];

  constructor(readonly options: ConversationOptions) {
    for (const [name, value] of options.parameters) this.parameter(name, value);
  }

  parameter(name: string, value: string): void {
    if (!READING.has(name)) return;
    this.#parameters.set(name, value);
    this.#read();
  }

  #read(): void {
    const client = this.#parameters.get("client_encoding") ?? "UTF8";
    const server = this.#parameters.get("server_encoding") ?? "UTF8";
    const encoding = client === "UTF8" || (client === "SQL_ASCII" && server === "UTF8") ? "utf8" : "other";
    this.reading = { encoding, escapes: this.#parameters.get("standard_conforming_strings") === "off" };
  }

  /** The server begins to read COPY data. @param batch of a command whose batch goes on behind it */
  beginCopy(batch: boolean): void {
    const ignored = this.copyIn.begin();
    if (!batch || ignored === 0) return;
    // They have ended nothing.
    this.unsynced = true;
    if (this.answers.onlyCopies) this.segment -= ignored;
  }

  /** Something that is answered goes out. */
  sending(): void {
    this.flushed = false;
    this.unsynced = true;
  }

  begin(command: RunningCommand): RunningCommand {
    command.place = this.#running.push(command) - 1;
    if (command.plan.scrubTexts) this.scrubbing = this.segment;
    return command;
  }

  /** A portal of the segment that is under way. */
  bound(portal: Portal): void {
    this.#bound.push(portal);
  }

  finish(command: RunningCommand): void {
    if (command.finished) return;
    command.finished = true;
    this.#takeOut(command);
    if (this.limited === command) this.limited = null;
    const { gate, batch } = command;
    this.outcomes.push({ kind: "outcome", gate, batch, outcome: command.outcome() });
  }

  /** The last takes its place. */
  #takeOut(command: RunningCommand): void {
    if (command.place < 0) return;
    const last = this.#running.pop() as RunningCommand;
    if (last === command) return;
    this.#running[command.place] = last;
    last.place = command.place;
  }

  /** A command that was let through and that the server will not see, and why. */
  notRun(command: RunningCommand, error: RunningCommand["error"] = NOT_RUN): void {
    command.error = error;
    this.finish(command);
  }

  unfinished(): Ended[] {
    return this.#running
      .map((command) => ({ gate: command.gate, batch: command.batch, outcome: command.outcome() }))
      .sort((left, right) => left.gate.ordinal - right.gate.ordinal);
  }

  /** Why no more can be kept under a name in this session; undefined where it can. @param size bytes, about */
  keepsTooMuch(size: number): Refusal | undefined {
    const limit = this.options.keptLimit ?? MOST_KEPT;
    const kept = this.statements.kept + this.portals.kept + NAME_SIZE + size;
    return kept > limit ? keptTooMuch(limit) : undefined;
  }

  /** What SQL can mean by a name, however that was given: a count that rises when it may be another. */
  get namesVersion(): number {
    return this.statements.version + this.portals.version;
  }

  /** The portal of this name, unless what is under way may make it another's, as an SQL CLOSE and DECLARE do. */
  certainPortal(key: string): Portal | undefined {
    const portal = this.portals.get(key);
    if (!portal || this.isCertain(key, portal)) return portal;
    return this.#settledBefore(key) && !this.answers.running ? portal : undefined;
  }

  /** Nothing was sent that can take its name since it was known to be what it is, and what was sent before surely comes to it. */
  isCertain(key: string, portal: Portal): boolean {
    return portal.runs === this.runs && this.#settledBefore(key);
  }

  #settledBefore(key: string): boolean {
    return !this.portals.unsettledBefore(this.segment, (other) => other === key);
  }

  /** A command is sent to run: puts what its text does to prepared statements in force, as far as sending goes. */
  applyEffects(command: RunningCommand): void {
    const again = command.ran;
    command.ran = true;
    if (!again) command.batch = this.segment;
    if (command.effects.length === 0 || command.pending.length > 0) return;
    const pending: RunningCommand["pending"] = [];
    for (const effect of command.effects) {
      if (effect.kind === "run" && !again) effect.runs(this.segment);
      if (effect.kind !== "define" && effect.kind !== "drop") continue;
      const changes =
        effect.kind === "define"
          ? [this.statements.change(effect.name, { prepared: effect.prepared, asked: false }, this.segment)]
          : effect.name === null
            ? this.statements.clear(this.segment)
            : [this.statements.change(effect.name, undefined, this.segment)];
      pending.push({ kind: effect.kind, changes });
    }
    command.pending = pending;
  }

  /** The server has done the next statement of a command: what that did to prepared statements is in force. */
  confirmEffect(command: RunningCommand, tag: string): void {
    if (command.pending.length === 0) return;
    const kind = tag === "PREPARE" ? "define" : /^(DEALLOCATE|DISCARD ALL)/.test(tag) ? "drop" : null;
    if (kind === null || command.pending[0]?.kind !== kind) return;
    for (const change of command.pending.shift()?.changes ?? []) this.statements.settle(change);
  }

  /** A statement of a command is complete: portals may be over with it. */
  completed(command: RunningCommand, tag: string): void {
    const idle = this.status === STATUS.idle;
    const over = this.#portalEnds.after({ tag, text: command.gate.text, idle }, this.portals);
    if (over) this.#forgetOthers(command, over);
    this.stopped(command);
  }

  /** A command was planned, or has run, to its end or half-way: portals may have been replaced by it. */
  stopped(command: RunningCommand): void {
    if (command.replacesPortals) this.#forgetOthers(command, () => true);
  }

  #forgetOthers(command: RunningCommand, over: (portal: Portal) => boolean): void {
    this.forgetPortals((portal, key) => key !== "" && portal.command !== command && over(portal));
  }

  /** What a command's text would have done and did not. */
  undoEffects(command: RunningCommand): void {
    if (command.pending.length === 0) return;
    for (const effect of command.pending.reverse()) {
      for (const change of effect.changes.reverse()) this.statements.undo(change);
    }
    command.pending = [];
  }

  /** The server has failed in the extended protocol: nothing more is done up to the next Sync. */
  skipToSync(): void {
    const skipped = this.answers.takeToSync();
    this.skipping = this.answers.empty;
    for (const answer of skipped.reverse()) this.#undo(answer);
    // Oldest first, so that outcomes come in order.
    for (const answer of skipped.reverse()) {
      const command = commandOf(answer);
      if (!command) continue;
      command.error ??= NOT_RUN;
      this.finish(command);
    }
  }

  #undo(answer: Answer): void {
    if (answer.kind === "parse") this.statements.undo(answer.change);
    else if (answer.kind === "bind") this.#undoPortal(answer.change);
    else if (answer.kind === "describe") {
      if (answer.of && answer.of.columns === undefined) answer.of.asked = false;
    } else if (answer.kind === "close") {
      if (answer.statement) this.statements.undo(answer.statement);
      if (answer.portal) this.#undoPortal(answer.portal);
    } else {
      const command = commandOf(answer);
      if (command) this.undoEffects(command);
    }
  }

  /** What the name meant before may be over too, as the transaction has failed, so it is not gone back to. */
  #undoPortal(change: Change<Portal>): void {
    if (change.before) this.finish(change.before.command);
    change.before = undefined;
    this.portals.undo(change);
  }

  /** A segment is over: what was bound in it and not run is no command; should it run later, it asks again. */
  endSegment(segment: number): void {
    this.answered = Math.max(this.answered, segment);
    const later: Portal[] = [];
    for (const portal of this.#bound) {
      if (portal.segment > segment) later.push(portal);
      else if (!portal.ran && !portal.command.finished) {
        portal.epoch = -1;
        this.finish(portal.command);
      }
    }
    this.#bound = later;
    if (this.status !== STATUS.idle) return;
    this.#portalEnds.idle();
    this.forgetPortals((portal) => portal.segment <= segment);
    if (this.scrubbing <= segment) this.scrubbing = 0;
  }

  /** Portals that are no more; what they ran is over. */
  forgetPortals(over: (portal: Portal, key: string) => boolean): void {
    this.portals.forget(over, (portal) => this.finish(portal.command));
  }
}

function commandOf(answer: Answer): RunningCommand | null {
  if (answer.kind === "bind") return answer.portal.command;
  return answer.kind === "execute" || answer.kind === "query" || answer.kind === "call" ? answer.command : null;
}
