import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { type CallContext, HEADER } from "#contracts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function headersOf(context: CallContext): MsgHdrs {
  const written = commandHeader(context.commandId);
  written.set(HEADER.actor, asciiJson(context.actor));
  return written;
}

/** For callers whose subject says who they are. */
export function commandHeader(commandId: string): MsgHdrs {
  const written = headers();
  written.set(HEADER.commandId, commandId);
  return written;
}

/** The UUID beside a request, or null where there is none. */
export function commandIdOf(read: MsgHdrs | undefined): string | null {
  const commandId = read?.get(HEADER.commandId) ?? "";
  return UUID.test(commandId) ? commandId : null;
}

/** Who asks, or null where the header does not say so. */
export function actorOf(read: MsgHdrs | undefined): CallContext["actor"] | null {
  try {
    const { id, name, roles } = JSON.parse(read?.get(HEADER.actor) ?? "") as CallContext["actor"];
    const sound = typeof id === "string" && typeof name === "string" && Array.isArray(roles);
    return sound && id !== "" && roles.every((role) => typeof role === "string") ? { id, name, roles } : null;
  } catch {
    return null;
  }
}

/** A header value is one line; names of people are not ASCII. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
