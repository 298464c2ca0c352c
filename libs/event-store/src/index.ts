export { type CarriedOut, type CommandCall, carryOut, eventIdOf, type Project } from "./carry-out.js";
export { type Decider, type DomainEvent, Refused } from "./decider.js";
export { MemoryEventStore, type MemoryTransaction } from "./memory-store.js";
export { readLog } from "./read-log.js";
export {
  type AppendRequest,
  type AppendResult,
  CommandIdReused,
  type EventMeta,
  type EventStore,
  type RecordedEvent,
  type SequencedEvent,
  VersionConflict,
} from "./store.js";
