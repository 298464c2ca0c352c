import type { MaskPlan, Refusal } from "#commands";
import type {
  ClientStep,
  CommandLimit,
  Conversation,
  ConversationOptions,
  Gate,
  Prepared,
  ServerStep,
} from "../protocol.js";
import { STATUS } from "./codes.js";
import { FromClient } from "./conversation/from-client.js";
import { FromServer } from "./conversation/from-server.js";
import { SessionState } from "./conversation/state.js";
import { nameKey } from "./decoder.js";
import { goodbyeResponse, notice } from "./denial.js";

/**
 * A PostgreSQL session between its logins and its end. The two directions meet in the `SessionState`: what the client
 * sends is queued there as answers that are due, what the server sends is taken for the oldest of them.
 */
export class PostgresConversation implements Conversation {
  readonly #state: SessionState;
  readonly #client: FromClient;
  readonly #server: FromServer;

  constructor(options: ConversationOptions) {
    this.#state = new SessionState(options);
    this.#client = new FromClient(this.#state);
    this.#server = new FromServer(this.#state);
  }

  pushClient(chunk: Uint8Array): void {
    this.#client.push(chunk);
  }

  nextClient(): ClientStep | null {
    return this.#client.next();
  }

  pushServer(chunk: Uint8Array): void {
    this.#server.push(chunk);
  }

  nextServer(): ServerStep | null {
    return this.#server.next();
  }

  allow(gate: Gate, plan: MaskPlan, limit: CommandLimit | null = null): Uint8Array {
    return this.#client.gates.allow(gate, plan, limit);
  }

  deny(gate: Gate, refusal: Refusal): { readonly toServer: Uint8Array; readonly toClient: Uint8Array } {
    return this.#client.gates.deny(gate, refusal);
  }

  invalidate(): void {
    this.#state.epoch++;
  }

  defineStatement(gate: Gate, name: string, prepared: Prepared): void {
    this.#client.gates.effect(gate, { kind: "define", name: nameKey(name), prepared });
  }

  replacesPortals(gate: Gate): void {
    this.#client.gates.effect(gate, { kind: "replaces-portals" });
  }

  dropStatement(gate: Gate, name: string | null): void {
    this.#client.gates.effect(gate, { kind: "drop", name: name === null ? null : nameKey(name) });
  }

  whenRun(gate: Gate, runs: (batch: number) => void): void {
    this.#client.gates.effect(gate, { kind: "run", runs });
  }

  runsByName(gate: Gate): void {
    this.#client.gates.effect(gate, { kind: "by-name" });
  }

  prepared(name: string): Prepared | undefined {
    return this.#state.statements.get(nameKey(name))?.prepared;
  }

  bound(name: string) {
    return this.#state.certainPortal(nameKey(name))?.command.gate;
  }

  notice(message: string, detail: string, hint: string): Uint8Array {
    return this.#server.say(notice(message, detail, hint));
  }

  goodbye(refusal: Refusal): Uint8Array {
    // Behind half a message it would be read as the other half; the end of the connection has to say it.
    return this.#server.midway ? new Uint8Array(0) : goodbyeResponse(refusal);
  }

  get busy(): boolean {
    return !this.#state.answers.empty;
  }

  get answered(): number {
    return this.#state.answered;
  }

  get transaction(): "idle" | "active" | "failed" {
    if (this.#state.status === STATUS.idle) return "idle";
    return this.#state.status === STATUS.transaction ? "active" : "failed";
  }

  unfinished() {
    return this.#state.unfinished();
  }
}
