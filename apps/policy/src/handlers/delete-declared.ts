import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import type { Kind } from "../projections/declarations.js";
import { Declaring } from "./declaring.js";

/** Deletes a resource, a label or a policy. Labels on a deleted resource stay, and protect it if it comes back. */
export class DeleteDeclared extends Command<void> {
  constructor(
    readonly kind: Kind,
    readonly name: string,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(DeleteDeclared)
export class DeleteDeclaredHandler implements ICommandHandler<DeleteDeclared> {
  constructor(@Inject(Declaring) private readonly declaring: Declaring) {}

  execute({ kind, name, precondition, call }: DeleteDeclared): Promise<void> {
    return this.declaring.delete(kind, name, precondition, call);
  }
}
