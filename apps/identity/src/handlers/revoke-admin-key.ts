import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { adminKeyDecider, adminKeyStream } from "../domain/admin-key.js";
import { AdminKeys } from "../projections/admin-keys.js";

export class RevokeAdminKey extends Command<void> {
  constructor(
    readonly id: string,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(RevokeAdminKey)
export class RevokeAdminKeyHandler implements ICommandHandler<RevokeAdminKey> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(AdminKeys) private readonly adminKeys: AdminKeys,
  ) {}

  async execute({ id, precondition, call }: RevokeAdminKey): Promise<void> {
    await carryOut(
      this.store,
      adminKeyDecider,
      {
        streamType: "admin_key",
        streamId: adminKeyStream(id),
        command: { type: "RevokeAdminKey" },
        precondition,
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        if (events.length > 0) await this.adminKeys.keepAnAdmin(tx, id);
        for (const event of events) await this.adminKeys.project(tx, event);
      },
    );
  }
}
