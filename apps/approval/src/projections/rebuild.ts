import type { DataSource } from "typeorm";
import { type EventStore, readLog } from "#event-store";
import { approval } from "../domain/approval.js";
import type { ApprovalEvent } from "../domain/events.js";
import type { ApprovalState } from "../domain/state.js";
import { APPROVAL_STREAM, approvalOf } from "../handlers/stream.js";
import { project } from "./approval-table.js";

/** Makes the approvals anew from the log, in one transaction; others wait. */
export async function rebuildApprovals(store: EventStore, dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query("LOCK TABLE approval.approval IN EXCLUSIVE MODE");
    await tx.query("DELETE FROM approval.approval");
    const states = new Map<string, ApprovalState>();
    for await (const { streamType, streamId, streamPosition, event } of readLog(store)) {
      if (streamType !== APPROVAL_STREAM) continue;
      const state = approval.evolve(states.get(streamId) ?? approval.initialState(), event as ApprovalEvent);
      states.set(streamId, state);
      await project(tx, approvalOf(streamId), { state, version: streamPosition });
    }
  });
}
