import { type Decider, type DomainEvent, Refused } from "#event-store";
import { checkText, invalid } from "./checks.js";

const ROLES = ["admin", "approver", "auditor"];
/** The role of those who decide what one group of approvers is asked, and nothing else. */
const OF_ONE_GROUP = "approver:";
const LONGEST_GROUP = 128;
const MOST_ROLES = 50;

export type AdminKeyState =
  | { readonly status: "absent" }
  | { readonly status: "active"; readonly name: string; readonly roles: readonly string[] }
  | { readonly status: "revoked"; readonly name: string; readonly roles: readonly string[] };

export type AdminKeyCommand =
  /** `secretHash`: hex. The secret itself never comes near an event. */
  | {
      readonly type: "CreateAdminKey";
      readonly name: string;
      readonly roles: readonly string[];
      readonly secretHash: string;
    }
  | { readonly type: "RevokeAdminKey" };

export type AdminKeyEvent =
  | DomainEvent<
      "AdminKeyCreated",
      { readonly name: string; readonly roles: readonly string[]; readonly secretHash: string }
    >
  | DomainEvent<"AdminKeyRevoked", { readonly name: string }>;

export const adminKeyStream = (id: string): string => `admin-key/${id}`;
export const adminKeyOf = (streamId: string): string => streamId.slice("admin-key/".length);

export const adminKeyDecider: Decider<AdminKeyState, AdminKeyCommand, AdminKeyEvent> = {
  initialState: () => ({ status: "absent" }),

  decide(command, state) {
    switch (command.type) {
      case "CreateAdminKey": {
        if (state.status !== "absent") throw new Refused("exists", "there is such a key already");
        const { name, roles, secretHash } = command;
        checkText("name", name, 100);
        checkRoles(roles);
        return [{ type: "AdminKeyCreated", data: { name, roles: inOrder(roles), secretHash } }];
      }
      case "RevokeAdminKey":
        if (state.status === "absent") throw new Refused("not_found", "there is no such key");
        return state.status === "revoked" ? [] : [{ type: "AdminKeyRevoked", data: { name: state.name } }];
      default:
        return command satisfies never;
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case "AdminKeyCreated":
        return { status: "active", name: event.data.name, roles: event.data.roles };
      case "AdminKeyRevoked":
        return state.status === "absent" ? state : { ...state, status: "revoked" };
    }
  },
};

function checkRoles(roles: readonly string[]): void {
  if (roles.length === 0 || roles.length > MOST_ROLES || !roles.every(isRole)) {
    throw invalid("roles", `roles must be 1 to ${MOST_ROLES} of ${ROLES.join(", ")}, ${OF_ONE_GROUP}<group>`);
  }
}

const isRole = (role: string): boolean =>
  ROLES.includes(role) || (role.startsWith(OF_ONE_GROUP) && isGroup(role.slice(OF_ONE_GROUP.length)));

/** What a policy's `@approval("…")` can name. */
const isGroup = (name: string): boolean =>
  name !== "" && name.length <= LONGEST_GROUP && name === name.trim() && !/\p{Cc}/u.test(name);

/** Each once, those of one group last. */
const inOrder = (roles: readonly string[]): readonly string[] => [
  ...ROLES.filter((role) => roles.includes(role)),
  ...[...new Set(roles)].filter((role) => !ROLES.includes(role)).sort(),
];
