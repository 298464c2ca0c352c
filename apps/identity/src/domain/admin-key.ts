import { type Decider, type DomainEvent, Refused } from "#event-store";
import { checkText, invalid } from "./checks.js";

const ROLES = ["admin", "approver", "auditor"] as const;

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
        return [
          { type: "AdminKeyCreated", data: { name, roles: ROLES.filter((role) => roles.includes(role)), secretHash } },
        ];
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
  const known = roles.every((role) => (ROLES as readonly string[]).includes(role));
  if (roles.length === 0 || !known) throw invalid("roles", `roles must be one or more of ${ROLES.join(", ")}`);
}
