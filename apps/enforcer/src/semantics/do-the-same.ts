import type { Understood } from "./semantics.js";

/** Whether both are the same to who decides: what is done, to what, and what stands behind the names. */
export function doTheSame(one: Understood, other: Understood): boolean {
  return one === other || decided(one) === decided(other);
}

const decided = ({ operations, uses, standsFor, problems }: Understood) =>
  JSON.stringify([operations, uses, standsFor, problems]);
