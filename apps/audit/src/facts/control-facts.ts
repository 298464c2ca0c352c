import type { AuditEntry } from "#audit-log";
import type { SequencedEvent } from "#event-store";
import { apiNames } from "./field-names.js";
import { withhold } from "./withhold.js";

/** What is about to get its index. */
export type Fact = Omit<AuditEntry, "index">;

const CONTROL_SOURCE = "control";

/** What a person needs to know of an event, and stands elsewhere. Empty: it has to do with none. */
export interface Around {
  readonly sessionId: string;
  readonly enforcerName: string;
}

/** A decided fact as it stands in the audit log. */
export function controlFact(recorded: SequencedEvent, { sessionId, enforcerName }: Around): Fact {
  const { event, meta, streamId, streamType, streamPosition, position, recordedAt } = recorded;
  return {
    time: recordedAt.toISOString(),
    origin: "control",
    source: CONTROL_SOURCE,
    sequence: position,
    type: dotted(streamType, event.type),
    sessionId,
    data: withhold({
      stream: streamId,
      version: streamPosition,
      actor: meta.actor,
      command_id: meta.commandId,
      reason: meta.reason,
      ...(enforcerName !== "" && { enforcer_name: enforcerName }),
      event: apiNames(event.data),
    }),
  };
}

/** `PolicyChanged` of a `policy` is `policy.changed`; `ApiKeyCreated` of an `api-key` is `api_key.created`. */
export function dotted(streamType: string, type: string): string {
  const words = type
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
  const named = streamType
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
  const ofStream = words.length > named.length && named.every((word, n) => words[n] === word);
  const subject = ofStream ? named.length : 1;
  return [words.slice(0, subject).join("_"), words.slice(subject).join("_")].filter(Boolean).join(".");
}
