import { type DynamicModule, Module } from "@nestjs/common";
import { CqrsModule } from "@nestjs/cqrs";
import { EventStoreModule } from "#event-store-postgres";
import { ApprovalsApi } from "./api/approvals.api.js";
import { EdgeApprovalsApi } from "./api/edge-approvals.api.js";
import type { ApprovalConfig } from "./approval.config.js";
import { CLOCK, type Clock } from "./clock.js";
import { ApprovalCommands } from "./handlers/approval-commands.js";
import { ConsumeHandler } from "./handlers/consume.js";
import { DecideHandler } from "./handlers/decide.js";
import { ExpirySweep } from "./handlers/expiry-sweep.js";
import { HoldHandler } from "./handlers/hold.js";
import { VerdictPush } from "./handlers/verdict-push.js";
import { WithdrawHandler } from "./handlers/withdraw.js";
import { ApprovalQueries } from "./projections/approval-queries.js";
import { approvalMigrations } from "./projections/schema.js";

/** Requests for a human decision on one exact command. Needs `Bus`. */
@Module({})
export class ApprovalModule {
  static register(config: ApprovalConfig, clock: Clock = Date.now): DynamicModule {
    return {
      module: ApprovalModule,
      imports: [
        CqrsModule.forRoot(),
        EventStoreModule.forRoot({ databaseUrl: config.databaseUrl, migrations: approvalMigrations, name: "approval" }),
      ],
      controllers: [ApprovalsApi, EdgeApprovalsApi],
      providers: [
        { provide: CLOCK, useValue: clock },
        ...[ApprovalCommands, ApprovalQueries, VerdictPush, ExpirySweep],
        ...[HoldHandler, DecideHandler, WithdrawHandler, ConsumeHandler],
      ],
    };
  }
}
