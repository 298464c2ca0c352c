import type { DataSource } from "typeorm";
import type { PostgresEventStore } from "#event-store-postgres";
import { approval } from "../domain/approval.js";
import type { ApprovalEvent } from "../domain/events.js";
import type { ApprovalState } from "../domain/state.js";
import { APPROVAL_STREAM, approvalOf } from "../handlers/stream.js";
import { project } from "./approval-table.js";

const PAGE = 500;

/** Makes the approvals anew from the log, in one transaction; others wait. */
export async function rebuildApprovals(store: PostgresEventStore, dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query("LOCK TABLE approval.approval IN EXCLUSIVE MODE");
    await tx.query("DELETE FROM approval.approval");
    const states = new Map<string, ApprovalState>();
    for (let position = 0; ; ) {
      const page = await store.readAll(position, PAGE);
      for (const { streamType, streamId, streamPosition, event } of page) {
        if (streamType !== APPROVAL_STREAM) continue;
        const state = approval.evolve(states.get(streamId) ?? approval.initialState(), event as ApprovalEvent);
        states.set(streamId, state);
        await project(tx, approvalOf(streamId), { state, version: streamPosition });
      }
      const last = page.at(-1);
      if (!last) return;
      position = last.position;
    }
  });
}
