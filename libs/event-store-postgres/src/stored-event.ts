import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { busV1 } from "#contracts";
import type { SequencedEvent } from "#event-store";

/** The event as it travels on JetStream. */
export function encodeStoredEvent(event: SequencedEvent): Uint8Array {
  const message = create(busV1.StoredEventSchema, {
    position: BigInt(event.position),
    streamId: event.streamId,
    streamType: event.streamType,
    streamPosition: BigInt(event.streamPosition),
    eventId: event.eventId,
    type: event.event.type,
    schemaVersion: event.schemaVersion,
    body: Buffer.from(JSON.stringify(event.event.data)),
    meta: Buffer.from(JSON.stringify(event.meta)),
    recordedAt: timestampFromDate(event.recordedAt),
  });
  return toBinary(busV1.StoredEventSchema, message);
}

/** @throws Error where the bytes are no StoredEvent */
export function decodeStoredEvent(bytes: Uint8Array): SequencedEvent {
  const message = fromBinary(busV1.StoredEventSchema, bytes);
  if (!message.recordedAt) throw new Error("a stored event has the time it was recorded at");
  return {
    position: Number(message.position),
    streamId: message.streamId,
    streamType: message.streamType,
    streamPosition: Number(message.streamPosition),
    eventId: message.eventId,
    schemaVersion: message.schemaVersion,
    event: { type: message.type, data: JSON.parse(Buffer.from(message.body).toString()) },
    meta: JSON.parse(Buffer.from(message.meta).toString()),
    recordedAt: timestampDate(message.recordedAt),
  };
}
