import type { Refusal } from "#commands";
import type { Uncovered } from "./mask-planner.js";

/** What clients are told where SQL would get around the masks. */
export const sqlRefusal = {
  uncovered: ({ labels, target, computed }: Uncovered): Refusal => ({
    code: "denied",
    message: computed
      ? `This command would put a value computed from ${labels.join(", ")} into ${target}, whose mask shows part of it.`
      : target
        ? `This command would put values labelled ${labels.join(", ")} into ${target}, which does not carry the label.`
        : `Code in this command is not read, and could copy values labelled ${labels.join(", ")} to where they are not masked.`,
    hint: computed
      ? "Copy the column as it stands, or write a value of your own."
      : target
        ? "Leave these columns out, or let an administrator give the target the same label first."
        : "Write it as plain statements, or let a policy ask for a person's approval of it.",
  }),
} as const;
