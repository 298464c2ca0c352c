import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { issuerDecider, issuerStream } from "../domain/issuer.js";
import { Issuers } from "../projections/issuers.js";

export class DeleteIssuer extends Command<void> {
  constructor(
    readonly name: string,
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(DeleteIssuer)
export class DeleteIssuerHandler implements ICommandHandler<DeleteIssuer> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(Issuers) private readonly issuers: Issuers,
  ) {}

  async execute({ name, precondition, call }: DeleteIssuer): Promise<void> {
    await carryOut(
      this.store,
      issuerDecider,
      {
        streamType: "issuer",
        streamId: issuerStream(name),
        command: { type: "DeleteIssuer" },
        precondition,
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        for (const event of events) await this.issuers.project(tx, event);
      },
    );
  }
}
