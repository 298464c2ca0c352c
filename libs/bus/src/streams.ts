import { JetStreamApiError, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { STREAM } from "#contracts";
import type { Bus } from "./bus.js";

const STREAM_NOT_FOUND = 10059;

/** Makes the JetStream streams that are missing, and brings the others up to date. Safe to repeat, also at once. */
export async function ensureStreams(bus: Bus, options: { readonly replicas?: number } = {}): Promise<void> {
  const manager = await jetstreamManager(bus.nats);
  for (const { name, subjects } of Object.values(STREAM)) {
    const config = {
      subjects: [...subjects],
      num_replicas: options.replicas ?? 1,
      duplicate_window: nanos(2 * 60_000),
      allow_direct: true,
    };
    try {
      await manager.streams.update(name, config);
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
      await manager.streams.add({ ...config, name, storage: StorageType.File, retention: RetentionPolicy.Limits });
    }
  }
}
