import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { checkTransform } from "#masking";
import { invalid } from "../domain/checks.js";
import type { LabelDefinition } from "../domain/label.js";
import type { Stored } from "../projections/declarations.js";
import { Declaring } from "./declaring.js";

export class PutLabel extends Command<Stored<"label">> {
  constructor(
    readonly definition: LabelDefinition,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(PutLabel)
export class PutLabelHandler implements ICommandHandler<PutLabel> {
  constructor(@Inject(Declaring) private readonly declaring: Declaring) {}

  async execute({ definition, precondition, call }: PutLabel): Promise<Stored<"label">> {
    const problem = checkTransform(definition.transform);
    if (problem) throw invalid("transform", problem);
    return this.declaring.put("label", definition, precondition, call);
  }
}
