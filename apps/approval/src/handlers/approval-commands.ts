import { randomUUID } from "node:crypto";
import { Injectable } from "@nestjs/common";
import type { CallContext } from "#contracts";
import { type CarriedOut, carryOut } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { type ApprovalCommand, approval } from "../domain/approval.js";
import type { ApprovalEvent } from "../domain/events.js";
import { type ApprovalState, evolve, initialState } from "../domain/state.js";
import { project } from "../projections/approval-table.js";
import { APPROVAL_STREAM, approvalStream } from "./stream.js";

export interface ApprovalCall {
  readonly id: string;
  readonly command: ApprovalCommand;
  readonly actor: { readonly id: string; readonly name: string };
  /** Absent: a new one, for what is made idempotent by its own ids. */
  readonly commandId?: CallContext["commandId"];
  readonly precondition?: number | undefined;
  readonly reason?: string;
}

/** Carries commands out on approvals, with the read model in the same transaction. */
@Injectable()
export class ApprovalCommands {
  constructor(private readonly store: PostgresEventStore) {}

  carryOut(call: ApprovalCall): Promise<CarriedOut<ApprovalState, ApprovalEvent>> {
    const { id, command, commandId = randomUUID(), precondition, reason } = call;
    const actor = { id: call.actor.id, name: call.actor.name };
    const asked = { streamType: APPROVAL_STREAM, streamId: approvalStream(id), command, commandId };
    return carryOut(this.store, approval, { ...asked, precondition, reason, actor }, (tx, appended) =>
      project(tx, id, appended),
    );
  }

  /** As it stands in the log now. */
  async read(id: string): Promise<ApprovalState> {
    const recorded = await this.store.readStream(approvalStream(id));
    return recorded.reduce((state, { event }) => evolve(state, event as ApprovalEvent), initialState());
  }
}
