import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { BusAccess } from "../bus-access/bus-access.js";
import { enforcerDecider, enforcerStream } from "../domain/enforcer.js";
import { Enforcers } from "../projections/enforcers.js";

export class RemoveEnforcer extends Command<void> {
  constructor(
    readonly id: string,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(RemoveEnforcer)
export class RemoveEnforcerHandler implements ICommandHandler<RemoveEnforcer> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(Enforcers) private readonly enforcers: Enforcers,
    @Inject(BusAccess) private readonly busAccess: BusAccess,
  ) {}

  async execute({ id, precondition, call }: RemoveEnforcer): Promise<void> {
    await carryOut(
      this.store,
      enforcerDecider,
      {
        streamType: "enforcer",
        streamId: enforcerStream(id),
        command: { type: "RemoveEnforcer" },
        precondition,
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        for (const event of events) await this.enforcers.project(tx, event);
      },
    );
    await this.busAccess.shutOutRemoved();
  }
}
