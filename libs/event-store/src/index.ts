export { type Decider, type DomainEvent, Refused } from "./decider.js";
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
