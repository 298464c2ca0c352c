import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import type { Definitions, Kind, Stored } from "../projections/declarations.js";
import { Declaring } from "./declaring.js";

/** Puts a resource, a label or a policy in the place of what is there. */
export class PutDeclared<K extends Kind = Kind> extends Command<Stored<K>> {
  constructor(
    readonly kind: K,
    readonly definition: Definitions[K],
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(PutDeclared)
export class PutDeclaredHandler implements ICommandHandler<PutDeclared> {
  constructor(@Inject(Declaring) private readonly declaring: Declaring) {}

  execute({ kind, definition, precondition, call }: PutDeclared): Promise<Stored<Kind>> {
    return this.declaring.put(kind, definition, precondition, call);
  }
}
