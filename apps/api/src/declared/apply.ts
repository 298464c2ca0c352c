import { create } from "@bufbuild/protobuf";
import { Inject, Injectable } from "@nestjs/common";
import { Bus } from "#bus";
import { type CallContext, modelV1 } from "#contracts";
import { nameUuid } from "../http/caller.js";
import { invalidInput } from "../http/input.js";
import { FailedPartway, type InputError } from "../http/problem.js";
import { unaccepted } from "./acceptance.js";
import { type Document, readDocument, type Wanted } from "./document.js";
import { issuers } from "./issuers.js";
import type { Kind, Stored } from "./kind.js";
import { labels } from "./labels.js";
import { type Existing, missingReferences, type PlannedStep, planOf, progress, type Step, shown } from "./plan.js";
import { policies } from "./policies.js";
import { resources } from "./resources.js";
import { warningsOf } from "./warnings.js";

export interface Applied {
  readonly plan: readonly Step[];
  /** What is valid, and comes to nothing as things are. */
  readonly warnings: readonly InputError[];
}

/** Makes the declared objects be as a document says. */
@Injectable()
export class Apply {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  /**
   * Checks the whole document, here and with the services that keep it, then plans, then (unless `dryRun`) carries the plan out step by step, each on the version
   * that the plan saw. Kinds the document does not name are left alone, also by `prune`.
   *
   * @throws Problem before anything is written where the document is not valid; with `plan` where a step failed
   */
  async apply(document: Document, options: { dryRun: boolean; prune: boolean }, call: CallContext): Promise<Applied> {
    const understood = readDocument(document);
    const { wanted, errors } = understood;
    const current = await this.current(wanted, call);
    const plan = planOf(understood, current, options.prune);
    const refused = [
      ...errors,
      ...missingReferences(understood, current),
      ...(await unaccepted(this.bus, plan, current, call)),
    ];
    if (refused.length > 0) throw invalidInput(refused);
    const warnings = await warningsOf(this.bus, wanted, plan, current, call);
    if (!options.dryRun) await this.carryOut(plan, call);
    return { plan: plan.map(shown), warnings };
  }

  /** What there is of the kinds that the document lists, or refers to. */
  private async current(wanted: Wanted, call: CallContext): Promise<Existing> {
    const current = new Map<Kind, Map<string, Stored>>();
    const named = new Set(wanted.keys());
    if (wanted.has(labels) || wanted.has(policies)) named.add(resources);
    if (wanted.has(policies)) named.add(labels).add(issuers);
    for (const kind of named) current.set(kind, await this.all(kind, call));
    return current;
  }

  private async carryOut(plan: readonly PlannedStep[], call: CallContext): Promise<void> {
    let failure: unknown;
    for (const step of plan) {
      if (failure !== undefined) {
        step.outcome = "skipped";
        continue;
      }
      try {
        await this.carryOutStep(step, { ...call, commandId: nameUuid(`${call.commandId} ${step.kind} ${step.name}`) });
        step.outcome = "done";
      } catch (error) {
        step.outcome = "failed";
        failure = error;
      }
    }
    if (failure !== undefined) throw new FailedPartway(failure, progress(plan), { plan: plan.map(shown) });
  }

  private async carryOutStep(step: PlannedStep, call: CallContext): Promise<void> {
    if (step.action === "unchanged") return;
    const precondition = create(modelV1.PreconditionSchema, { version: step.seen });
    if (step.wanted) {
      const written = await step.of.put(this.bus, step.wanted, precondition, call);
      step.version = Number(written.version);
    } else {
      await step.of.remove(this.bus, step.name, precondition, call);
    }
  }

  private async all(kind: Kind, call: CallContext): Promise<Map<string, Stored>> {
    const found = new Map<string, Stored>();
    let cursor = "";
    do {
      const page = await kind.list(this.bus, create(modelV1.PageRequestSchema, { limit: 500, cursor }), call);
      for (const item of page.items) found.set(item.name, item);
      cursor = page.next;
    } while (cursor !== "");
    return found;
  }
}
