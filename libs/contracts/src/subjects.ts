/** The only home of subject names on the bus. */
import type { DescMethod } from "@bufbuild/protobuf";

const nameOf = (method: DescMethod) => `${method.parent.name}.${method.name}`;

/** Where a control service answers a method: `rpc.<Service>.<Method>`. */
export const rpcSubject = (method: DescMethod): string => `rpc.${nameOf(method)}`;

/** Where enforcer `id` asks for an edge method; `*` subscribes for all enforcers. */
export const edgeSubject = (method: DescMethod, id: string): string => `edge.${id}.${nameOf(method)}`;

/** Where enforcer `id` publishes its record batches; `*` for all. */
export const edgeRecordsSubject = (id: string): string => `edge.${id}.records`;

/** The enforcer a message on an `edge.` subject comes from: the bus lets a node publish under its own id only. */
export function enforcerOf(subject: string): string {
  const id = subject.split(".")[1];
  if (!subject.startsWith("edge.") || !id) throw new Error(`not an edge subject: ${subject}`);
  return id;
}

/** Where answers to enforcer `id` arrive: the bus lets a node listen under its own prefix only. */
export const enforcerInbox = (id: string): string => `_INBOX_${id}`;

export const pushSubject = {
  all: "push.all",
  group: (group: string) => `push.group.${group}`,
  node: (enforcerId: string) => `push.node.${enforcerId}`,
};

/** Every decided fact, in the order of the log: `events.<stream type>.<event type>`. */
export const eventSubject = (streamType: string, type: string): string => `events.${streamType}.${type}`;

/** Says that the audit log has grown; the payload is a ListEntriesResponse with only `head`. */
export const AUDIT_APPENDED = "audit.appended";

/** JetStream streams. */
export const STREAM = {
  /** Decided facts; stream sequence equals log position. */
  events: { name: "EVENTS", subjects: ["events.>"] },
  /** Observed facts from the enforcers' spools. */
  records: { name: "RECORDS", subjects: ["edge.*.records"] },
} as const;
