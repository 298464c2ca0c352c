import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { validatePolicies } from "#decisions";
import { Refused } from "#event-store";
import type { PolicyDefinition } from "../domain/policy-document.js";
import type { Stored } from "../projections/declarations.js";
import { Declaring } from "./declaring.js";

export class PutPolicy extends Command<Stored<"policy">> {
  constructor(
    readonly definition: PolicyDefinition,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

const SHOWN = 5;

@CommandHandler(PutPolicy)
export class PutPolicyHandler implements ICommandHandler<PutPolicy> {
  constructor(@Inject(Declaring) private readonly declaring: Declaring) {}

  async execute({ definition, precondition, call }: PutPolicy): Promise<Stored<"policy">> {
    const problems = validatePolicies(definition.text);
    const [first] = problems;
    if (first) {
      const told = problems
        .slice(0, SHOWN)
        .map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`);
      const more = problems.length > SHOWN ? ` (and ${problems.length - SHOWN} more)` : "";
      throw new Refused("invalid", `text: ${told.join("; ")}${more}`, {
        field: "text",
        line: String(first.line),
        column: String(first.column),
      });
    }
    return this.declaring.put("policy", definition, precondition, call);
  }
}
