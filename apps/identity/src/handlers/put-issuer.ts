import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { type IssuerDefinition, issuerDecider, issuerStream } from "../domain/issuer.js";
import { Issuers, type StoredIssuer } from "../projections/issuers.js";

export class PutIssuer extends Command<StoredIssuer> {
  constructor(
    readonly definition: IssuerDefinition,
    /** 0: there may be none; n: it must be at that version. */
    readonly precondition: number | undefined,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(PutIssuer)
export class PutIssuerHandler implements ICommandHandler<PutIssuer> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(Issuers) private readonly issuers: Issuers,
  ) {}

  async execute({ definition, precondition, call }: PutIssuer): Promise<StoredIssuer> {
    // One deleted is not there, but its stream is: so 0 is the decider's to judge.
    const creating = precondition === 0;
    const { version } = await carryOut(
      this.store,
      issuerDecider,
      {
        streamType: "issuer",
        streamId: issuerStream(definition.name),
        command: { type: "PutIssuer", definition, creating },
        precondition: creating ? undefined : precondition,
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        for (const event of events) await this.issuers.project(tx, event);
      },
    );
    return { definition, version };
  }
}
