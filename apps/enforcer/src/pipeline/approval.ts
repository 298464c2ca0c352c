import type { Hold } from "#commands";
import type { Gate } from "#protocols";
import type { Durability } from "#spool";
import { type HeldCommand, type HoldEnd, withdrawn } from "../holds/hold-desk.js";
import type { Understood } from "../semantics/semantics.js";

/** What holding a command asks of the session around it. */
export interface HoldingSession {
  /** Asks a person, and tells the client. */
  hold(gate: Gate, understood: Understood, verdict: Hold): HeldCommand;
  /** Gives the record's sequence. @throws where it cannot be recorded. */
  recordHoldEnded(gate: Gate, held: HeldCommand, end: HoldEnd): number;
  durable(sequence: number, durability: Durability): Promise<void> | undefined;
}

interface Asked {
  readonly gate: Gate;
  readonly command: HeldCommand;
  /** Null as long as it waits. */
  end: HoldEnd | null;
  /** It leaves with this turn. */
  sent: boolean;
}

/**
 * The command of a session that a person is asked about, from the question until it has left: until then a yes can still
 * come to nothing, and is given back. There is one at a time, as all behind it waits.
 */
export class Approval {
  #asked: Asked | null = null;

  constructor(private readonly session: HoldingSession) {}

  get waiting(): boolean {
    return this.#asked?.end === null;
  }

  /** Resolves with how it ended, which is recorded but for a yes; never rejects but where it cannot be recorded. */
  async ask(gate: Gate, understood: Understood, verdict: Hold): Promise<{ approvalId: string; end: HoldEnd }> {
    const command = this.session.hold(gate, understood, verdict);
    const asked: Asked = { gate, command, end: null, sent: false };
    this.#asked = asked;
    const end = await command.ended;
    if (this.#asked === asked) {
      asked.end = end;
      if (end.kind !== "granted") {
        this.#asked = null;
        this.session.recordHoldEnded(gate, command, end);
      }
    }
    return { approvalId: command.approvalId, end };
  }

  /** The client asked to cancel. False where no command waits. */
  withdraw(reason: string): boolean {
    if (!this.waiting) return false;
    this.#asked!.command.withdraw(reason);
    return true;
  }

  policyChanged(): void {
    if (this.waiting) this.#asked!.command.policyChanged();
  }

  /** The command will not leave, whether or not a person has let it through. */
  giveBack(reason: string): void {
    if (!this.#asked) return;
    const { gate, command } = this.#asked;
    this.#asked = null;
    command.giveBack(reason);
    this.session.recordHoldEnded(gate, command, withdrawn(reason));
  }

  /** What goes now leaves with this turn. */
  sent(): void {
    if (this.#asked) this.#asked.sent = true;
  }

  /** Used is what leaves, and not before: until then its session may end, or the spool be full. */
  left(): void {
    if (!this.#asked?.sent) return;
    const { gate, command, end } = this.#asked;
    this.session.durable(this.session.recordHoldEnded(gate, command, end!), "os");
    this.#asked = null;
  }
}
