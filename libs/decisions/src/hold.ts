import type { ApprovalTerms } from "./annotations.js";
import type { ReadPolicy } from "./document.js";

/** What a person is asked for before a command may run. */
export interface HoldTerms extends ApprovalTerms {
  readonly reason: string;
  readonly policies: readonly string[];
}

/**
 * Several permits with an approval match one operation: the strictest counts. That is the largest quorum, then a named
 * group before any approver, then the shortest time, then the first by name.
 */
export function strictest(permits: readonly ReadPolicy[]): HoldTerms {
  const [first] = [...permits].sort((left, right) => {
    const [a, b] = [left.annotations.approval!, right.annotations.approval!];
    return (
      b.quorum - a.quorum ||
      Number(b.approvers !== "") - Number(a.approvers !== "") ||
      a.ttlSeconds - b.ttlSeconds ||
      (left.id < right.id ? -1 : 1)
    );
  });
  const { id, annotations } = first!;
  return {
    ...annotations.approval!,
    reason: annotations.reason ?? `policy ${id} asks for an approval`,
    policies: [id],
  };
}

/**
 * Several operations of one command are held: one approval answers for all, so it takes the larger quorum and the
 * shorter time. Null where they name different groups: no single approval can do that.
 */
export function both(a: HoldTerms, b: HoldTerms): HoldTerms | null {
  if (a.approvers !== "" && b.approvers !== "" && a.approvers !== b.approvers) return null;
  return {
    approvers: a.approvers || b.approvers,
    quorum: Math.max(a.quorum, b.quorum),
    ttlSeconds: Math.min(a.ttlSeconds, b.ttlSeconds),
    reason: a.reason === b.reason ? a.reason : `${a.reason}; ${b.reason}`,
    policies: [...new Set([...a.policies, ...b.policies])],
  };
}
