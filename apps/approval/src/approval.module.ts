import { type DynamicModule, Module } from "@nestjs/common";
import { CqrsModule } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import { EventStoreModule } from "#event-store-postgres";
import { ApprovalsController } from "./api/approvals.controller.js";
import { EdgeApprovalsController } from "./api/edge-approvals.controller.js";
import type { ApprovalConfig } from "./approval.config.js";
import { Abandonment } from "./handlers/abandonment.js";
import { ApprovalCommands } from "./handlers/approval-commands.js";
import { ConsumeHandler } from "./handlers/consume.js";
import { DecideHandler } from "./handlers/decide.js";
import { ExpirySweep } from "./handlers/expiry-sweep.js";
import { HoldHandler } from "./handlers/hold.js";
import { VerdictPush } from "./handlers/verdict-push.js";
import { WithdrawHandler } from "./handlers/withdraw.js";
import { ApprovalQueries } from "./projections/approval-queries.js";
import { approvalMigrations } from "./projections/migrations.js";
import { Waiting } from "./projections/waiting.js";

/** Requests for a human decision on one exact command. Needs BusModule. */
@Module({})
export class ApprovalModule {
  static register({ databaseUrl, poolSize }: ApprovalConfig, clock: Clock = Date.now): DynamicModule {
    const database = { databaseUrl, migrations: approvalMigrations, name: "approval", ...(poolSize && { poolSize }) };
    return {
      module: ApprovalModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(database)],
      controllers: [ApprovalsController, EdgeApprovalsController],
      providers: [
        { provide: CLOCK, useValue: clock },
        ...[ApprovalCommands, ApprovalQueries, VerdictPush, Waiting, Abandonment, ExpirySweep],
        ...[HoldHandler, DecideHandler, WithdrawHandler, ConsumeHandler],
      ],
    };
  }
}
