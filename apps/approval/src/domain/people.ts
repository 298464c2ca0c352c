import type { Actor, Principal } from "./events.js";

/** Names are compared as people read them. */
const asRead = (name: string) => name.normalize("NFKC").trim().toLowerCase();

/** Someone's keys may have different ids, someone's key another name: one in common makes them the same. */
export function samePerson(a: Actor, b: Actor): boolean {
  const names = namesOf(a);
  return [...namesOf(b)].some((name) => names.has(name));
}

/** Whether the actor asked for it, or had it asked for. */
export function isRequester(actor: Actor, requester: Principal): boolean {
  const { id, subject, name, onBehalfOf } = requester;
  const names = namesOf(actor);
  return [id, subject, name, ...onBehalfOf].some((one) => one !== "" && names.has(asRead(one)));
}

/** `admin` and `approver` decide on everything, `approver:<group>` on what names that group. */
export const mayDecide = ({ roles }: Actor, approvers: string): boolean =>
  roles.some(
    (role) => role === "admin" || role === "approver" || (approvers !== "" && role === `approver:${approvers}`),
  );

const namesOf = ({ id, name }: Actor) => new Set([id, name].filter((one) => one !== "").map(asRead));
