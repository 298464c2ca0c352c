import type { UpstreamLoginOptions } from "../../protocol.js";

type Target = UpstreamLoginOptions["target"];

/**
 * Why a server will not do, or null where it does (manual, "Parameter Key Words", target_session_attrs). Servers report
 * both settings from version 14 on. What the client itself asked for says nothing about the server.
 */
export function unsuited(
  target: Target,
  parameters: ReadonlyMap<string, string>,
  asked: ReadonlyMap<string, string>,
): string | null {
  if (target === "any") return null;
  const standby = parameters.get("in_hot_standby");
  const readOnlyByDefault = parameters.get("default_transaction_read_only");
  if (standby === undefined || readOnlyByDefault === undefined) return "does not say whether it is a standby";
  const isStandby = standby === "on";
  const byDefault = readOnlyByDefault === "on" && ![...asked.keys()].some(namesReadOnly);
  switch (target) {
    case "primary":
      return isStandby ? "is a standby" : null;
    case "standby":
      return isStandby ? null : "is the primary";
    case "read-write":
      return isStandby ? "is a standby" : byDefault ? "is read-only by default" : null;
    case "read-only":
      return isStandby || byDefault ? null : "accepts writes";
    default:
      return target satisfies never;
  }
}

const namesReadOnly = (name: string) => name.toLowerCase() === "default_transaction_read_only";
