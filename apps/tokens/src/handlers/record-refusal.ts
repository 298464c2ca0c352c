import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { carryOut } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { exchange, type RefusedExchange } from "../domain/exchange.js";

/** Puts a refused exchange into the log. */
export class RecordRefusal extends Command<void> {
  constructor(
    readonly refused: Omit<RefusedExchange, "at">,
    readonly context: CallContext,
  ) {
    super();
  }
}

@CommandHandler(RecordRefusal)
export class RecordRefusalHandler implements ICommandHandler<RecordRefusal> {
  constructor(
    private readonly store: PostgresEventStore,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ refused, context: { actor, commandId } }: RecordRefusal): Promise<void> {
    const at = this.now();
    await carryOut(this.store, exchange, {
      ...{ streamType: "exchange", streamId: `exchange-${commandId}`, commandId, request: refused },
      command: { type: "Refuse", exchange: { ...refused, at } },
      actor: { id: actor.id, name: actor.name },
    });
  }
}
