import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { protocols } from "#protocols";
import { invalid } from "../domain/checks.js";
import type { ResourceDefinition } from "../domain/resource.js";
import type { Stored } from "../projections/declarations.js";
import { Declaring } from "./declaring.js";

export class PutResource extends Command<Stored<"resource">> {
  constructor(
    readonly definition: ResourceDefinition,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(PutResource)
export class PutResourceHandler implements ICommandHandler<PutResource> {
  constructor(@Inject(Declaring) private readonly declaring: Declaring) {}

  async execute({ definition, precondition, call }: PutResource): Promise<Stored<"resource">> {
    if (!protocols.has(definition.protocol)) {
      throw invalid(
        "protocol",
        `${JSON.stringify(definition.protocol)} is not known; known: ${[...protocols.keys()].join(", ")}`,
      );
    }
    return this.declaring.put("resource", definition, precondition, call);
  }
}
