import { type Decider, type DomainEvent, Refused } from "#event-store";

/** Something administrators declare whole, by name: a resource, a label, a policy document. */
export type Declared<Definition> =
  | { readonly status: "absent" }
  | { readonly status: "declared"; readonly definition: Definition };

export type DeclaredCommand<Definition> =
  /** Puts the definition in the place of what is there. `creating`: nothing may be there. */
  { readonly type: "Put"; readonly definition: Definition; readonly creating: boolean } | { readonly type: "Delete" };

export type DeclaredEvent<Noun extends string, Definition> =
  | DomainEvent<`${Noun}Declared`, Definition>
  | DomainEvent<`${Noun}Deleted`, { readonly name: string }>;

/** A definition has only JSON in it, always with the same fields in the same order. */
export interface Named {
  readonly name: string;
}

/**
 * The aggregate of everything declared. Putting what is there already changes nothing, so applying a document twice
 * leaves no trace the second time.
 * @param check throws Refused `invalid` for a definition that may not be.
 */
export function declaredDecider<const Noun extends string, Definition extends Named>(
  noun: Noun,
  check: (definition: Definition) => void,
): Decider<Declared<Definition>, DeclaredCommand<Definition>, DeclaredEvent<Noun, Definition>> {
  type Event = DeclaredEvent<Noun, Definition>;
  const what = noun.toLowerCase();
  return {
    initialState: () => ({ status: "absent" }),

    decide(command, state): readonly Event[] {
      switch (command.type) {
        case "Put": {
          const { definition, creating } = command;
          if (creating && state.status === "declared") {
            throw new Refused("version_conflict", `there is a ${what} ${definition.name} already`);
          }
          check(definition);
          if (state.status === "declared" && JSON.stringify(state.definition) === JSON.stringify(definition)) return [];
          return [{ type: `${noun}Declared`, data: definition } as Event];
        }
        case "Delete": {
          if (state.status === "absent") throw new Refused("not_found", `there is no such ${what}`);
          return [{ type: `${noun}Deleted`, data: { name: state.definition.name } } as Event];
        }
        default:
          return command satisfies never;
      }
    },

    evolve(_, event) {
      return event.type === `${noun}Declared`
        ? { status: "declared", definition: event.data as Definition }
        : { status: "absent" };
    },
  };
}
