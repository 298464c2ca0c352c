import { type Decider, type DomainEvent, Refused } from "#event-store";
import { checkName, invalid } from "./checks.js";

export interface Listener {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

export interface Registration {
  readonly name: string;
  readonly group: string;
  readonly listeners: readonly Listener[];
  /** Public key of its user on the bus. */
  readonly busKey: string;
}

export type EnforcerState =
  | { readonly status: "absent" }
  | ({ readonly status: "registered"; readonly softwareVersion: string } & Registration)
  | ({ readonly status: "removed"; readonly softwareVersion: string } & Registration);

export type EnforcerCommand =
  | ({ readonly type: "RegisterEnforcer" } & Registration)
  /** `fingerprint`: SHA-256 of the certificate it got, hex. `notAfter`: ISO 8601. */
  | {
      readonly type: "EnrollEnforcer";
      readonly softwareVersion: string;
      readonly fingerprint: string;
      readonly notAfter: string;
    }
  | { readonly type: "RemoveEnforcer" };

export type EnforcerEvent =
  | DomainEvent<"EnforcerRegistered", Registration>
  | DomainEvent<
      "EnforcerEnrolled",
      { readonly softwareVersion: string; readonly fingerprint: string; readonly notAfter: string }
    >
  | DomainEvent<"EnforcerRemoved", { readonly name: string; readonly group: string; readonly busKey: string }>;

export const enforcerStream = (id: string): string => `enforcer/${id}`;
export const enforcerOf = (streamId: string): string => streamId.slice("enforcer/".length);

export const enforcerDecider: Decider<EnforcerState, EnforcerCommand, EnforcerEvent> = {
  initialState: () => ({ status: "absent" }),

  decide(command, state) {
    switch (command.type) {
      case "RegisterEnforcer": {
        if (state.status !== "absent") throw new Refused("exists", "there is such an enforcer already");
        const { name, group, listeners, busKey } = command;
        checkName("name", name);
        checkName("group", group);
        checkListeners(listeners);
        return [{ type: "EnforcerRegistered", data: { name, group, listeners, busKey } }];
      }
      case "EnrollEnforcer": {
        registered(state);
        const { softwareVersion, fingerprint, notAfter } = command;
        if (softwareVersion.length > 100 || /\p{Cc}/u.test(softwareVersion)) {
          throw invalid("software_version", "software_version must have at most 100 characters on one line");
        }
        return [{ type: "EnforcerEnrolled", data: { softwareVersion, fingerprint, notAfter } }];
      }
      case "RemoveEnforcer": {
        if (state.status === "removed") return [];
        const { name, group, busKey } = registered(state);
        return [{ type: "EnforcerRemoved", data: { name, group, busKey } }];
      }
      default:
        return command satisfies never;
    }
  },

  evolve(state, event) {
    if (event.type === "EnforcerRegistered") return { status: "registered", softwareVersion: "", ...event.data };
    if (state.status === "absent") return state;
    return event.type === "EnforcerEnrolled"
      ? { ...state, softwareVersion: event.data.softwareVersion }
      : { ...state, status: "removed" };
  },
};

/** @throws Refused where there is none, or it was removed: it must not come back. */
function registered(state: EnforcerState): EnforcerState & { status: "registered" } {
  if (state.status === "absent") throw new Refused("not_found", "there is no such enforcer");
  if (state.status === "removed") throw new Refused("gone", "this enforcer was removed; register it anew");
  return state;
}

function checkListeners(listeners: readonly Listener[]): void {
  if (listeners.length > 32) throw invalid("listeners", "listeners may be at most 32");
  const seen = new Set<string>();
  for (const { protocol, host, port } of listeners) {
    checkName("listeners.protocol", protocol);
    if (!isHost(host)) {
      throw invalid("listeners.host", "listeners.host must be the name or address agents dial, such as db.example.org");
    }
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw invalid("listeners.port", "listeners.port must be from 1 to 65535");
    }
    const place = `${host} ${port}`;
    if (seen.has(place)) throw invalid("listeners", `two listeners have ${host} port ${port}`);
    seen.add(place);
  }
}

/** RFC 1123 section 2.1 names, and addresses; not the wildcard addresses, which nobody can dial. */
function isHost(host: string): boolean {
  if (host.length > 253 || host === "0.0.0.0") return false;
  if (host.includes(":")) return isIpv6(host);
  if (/^[\d.]+$/.test(host)) return /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(host);
  return host.split(".").every((part) => /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/.test(part));
}

const isIpv6 = (host: string) => /^[0-9A-Fa-f:.]+$/.test(host) && host !== "::" && URL.canParse(`http://[${host}]/`);
