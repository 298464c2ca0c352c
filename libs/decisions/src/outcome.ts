import type { Operation, RowLimit, SessionFacts } from "#commands";
import type { ReadPolicy } from "./document.js";
import { type HoldTerms, strictest } from "./hold.js";
import type { Matches } from "./policy-index.js";
import { narrowest, widest } from "./row-limits.js";
import { SESSION } from "./schema.js";
import { type Denial, denial, subjectOf } from "./wording.js";

/** What comes of one question: whether the policies that match let it be. */
export type Settled =
  | {
      readonly kind: "allow";
      readonly policies: readonly string[];
      readonly rowLimit: RowLimit | null;
      readonly timeless: boolean;
    }
  | { readonly kind: "deny"; readonly denial: Denial; readonly timeless: boolean };
export type Outcome =
  | Settled
  | {
      readonly kind: "hold";
      readonly terms: HoldTerms;
      readonly rowLimit: RowLimit | null;
      readonly timeless: boolean;
    };

/** The order of the house: a forbid wins, then a failure, then a plain permit, then a permit with an approval. */
export function refusalIn(subject: string, { forbids, failed }: Matches): Denial | null {
  if (forbids.length > 0) return denial.forbidden(subject, forbids);
  return failed.length > 0 ? denial.failed(subject, failed) : null;
}

export const plainOf = (permits: readonly ReadPolicy[]) => permits.filter(({ annotations }) => !annotations.approval);
const idsOf = (policies: readonly ReadPolicy[]) => policies.map(({ id }) => id);

/** Of what cannot wait for an approval: a permit with one does not count. */
export function settle(subject: string, matches: Matches, notPermitted: () => Denial): Settled {
  const { timeless } = matches;
  const plain = plainOf(matches.permits);
  const denied = refusalIn(subject, matches) ?? (plain.length === 0 ? notPermitted() : null);
  return denied
    ? { kind: "deny", denial: denied, timeless }
    : { kind: "allow", policies: idsOf(plain), rowLimit: null, timeless };
}

/** Of what can wait for an approval. */
export function settleOrHold(operation: Operation, matches: Matches, session: SessionFacts): Outcome {
  const { action } = operation;
  const { permits, timeless } = matches;
  const refusal = refusalIn(subjectOf(operation), matches);
  if (refusal) return { kind: "deny", denial: refusal, timeless };
  const plain = plainOf(permits);
  if (plain.length > 0 || action === SESSION)
    return { kind: "allow", policies: idsOf(plain), rowLimit: widest(action, plain), timeless };
  if (permits.length > 0)
    return { kind: "hold", terms: strictest(permits), rowLimit: narrowest(action, permits), timeless };
  return { kind: "deny", denial: denial.notPermitted(subjectOf(operation), action, session), timeless };
}
