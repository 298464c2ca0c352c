/** An aggregate is three functions; its state is a union by status, so an illegal state has no fields to misread. */
export interface Decider<State, Command, Event extends DomainEvent> {
  readonly initialState: () => State;
  /** Pure: time and ids arrive inside the command. Throws a Refused for what is not permitted. */
  readonly decide: (command: Command, state: State) => readonly Event[];
  readonly evolve: (state: State, event: Event) => State;
}

/** Past tense, JSON data only. */
export interface DomainEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/** A refusal is an outcome: a stable code and a sentence a person can act on. */
export class Refused extends Error {
  override readonly name = "Refused";
  constructor(
    readonly code: "not_found" | "exists" | "version_conflict" | "invalid" | "forbidden" | "conflict" | "gone",
    message: string,
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}
