import { Inject, Injectable } from "@nestjs/common";
import type { CallContext } from "#contracts";
import { carryOut, type Decider, type DomainEvent } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { BundlePublisher } from "../bundles/bundle-publisher.js";
import { checkAll } from "../domain/checks.js";
import type { Declared, DeclaredCommand } from "../domain/declared.js";
import { labelDecider } from "../domain/label.js";
import { policyDecider } from "../domain/policy-document.js";
import { resourceDecider } from "../domain/resource.js";
import { Declarations, type Definitions, type Kind, type Stored } from "../projections/declarations.js";
import { ACCEPTANCE } from "./acceptance.js";

type AnyDecider<D> = Decider<Declared<D>, DeclaredCommand<D>, DomainEvent>;
const DECIDERS: { readonly [K in Kind]: AnyDecider<Definitions[K]> } = {
  resource: resourceDecider as AnyDecider<Definitions["resource"]>,
  label: labelDecider as AnyDecider<Definitions["label"]>,
  policy: policyDecider as AnyDecider<Definitions["policy"]>,
};

/** Carries a declaration out: append, read model and epochs in one transaction, then the enforcers are told. */
@Injectable()
export class Declaring {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(Declarations) private readonly declarations: Declarations,
    @Inject(BundlePublisher) private readonly publisher: BundlePublisher,
  ) {}

  /** Whether `put` would take it, by what it says itself. Writes nothing. @throws Refused `invalid` */
  check<K extends Kind>(kind: K, definition: Definitions[K]): void {
    const decider = DECIDERS[kind] as AnyDecider<Definitions[K]>;
    checkAll(
      () => ACCEPTANCE[kind](definition),
      () => void decider.decide({ type: "Put", definition, creating: false }, decider.initialState()),
    );
  }

  /** @param precondition 0: nothing may be there; n: it must be at that version. */
  async put<K extends Kind>(
    kind: K,
    definition: Definitions[K],
    precondition: number | undefined,
    call: CallContext,
  ): Promise<Stored<K>> {
    ACCEPTANCE[kind](definition);
    // Something deleted is not there, but its stream is: so 0 is the decider's to judge.
    const creating = precondition === 0;
    const command = { type: "Put" as const, definition, creating };
    const version = await this.#carryOut(kind, definition.name, command, creating ? undefined : precondition, call);
    return { definition, version };
  }

  async delete(kind: Kind, name: string, precondition: number | undefined, call: CallContext): Promise<void> {
    await this.#carryOut(kind, name, { type: "Delete" }, precondition, call);
  }

  /** Makes what is declared anew from the log, and tells every group. */
  async rebuild(): Promise<void> {
    await this.declarations.rebuild(async (kind) => {
      const found: Stored<typeof kind>[] = [];
      for (const streamId of await this.declarations.streamsOf(kind)) {
        const history = await this.store.readStream(streamId);
        const decider = DECIDERS[kind] as AnyDecider<Definitions[typeof kind]>;
        const state = history.reduce((folded, { event }) => decider.evolve(folded, event), decider.initialState());
        if (state.status === "declared") found.push({ definition: state.definition, version: history.length });
      }
      return found;
    });
    await this.publisher.publish([...(await this.declarations.epochs()).keys()]);
  }

  async #carryOut<K extends Kind>(
    kind: K,
    name: string,
    command: DeclaredCommand<Definitions[K]>,
    precondition: number | undefined,
    { commandId, actor }: CallContext,
  ): Promise<number> {
    let concerned: readonly string[] = [];
    const { version } = await carryOut(
      this.store,
      DECIDERS[kind] as AnyDecider<Definitions[K]>,
      { streamType: kind, streamId: `${kind}/${name}`, command, precondition, commandId, actor },
      async (tx, { state, version }) => {
        const next = state.status === "declared" ? { definition: state.definition, version } : null;
        concerned = await this.declarations.project(tx, kind, name, next);
      },
    );
    await this.publisher.publish(concerned);
    return version;
  }
}
