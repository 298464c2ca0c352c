import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut, eventIdOf, Refused } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { BusAccess } from "../bus-access/bus-access.js";
import { checkName } from "../domain/checks.js";
import { enforcerDecider, enforcerStream, type Listener } from "../domain/enforcer.js";
import { Enforcers } from "../projections/enforcers.js";

export interface RegisteredEnforcer {
  readonly id: string;
  /** A `.creds` text, known to nobody else from here on. */
  readonly busCredentials: string;
}

export class RegisterEnforcer extends Command<RegisteredEnforcer> {
  constructor(
    readonly name: string,
    readonly group: string,
    readonly listeners: readonly Listener[],
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(RegisterEnforcer)
export class RegisterEnforcerHandler implements ICommandHandler<RegisterEnforcer> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(Enforcers) private readonly enforcers: Enforcers,
    @Inject(BusAccess) private readonly busAccess: BusAccess,
  ) {}

  async execute({ name, group, listeners, call }: RegisterEnforcer): Promise<RegisteredEnforcer> {
    checkName("group", group);
    // The same command registers the enforcer with the same id.
    const id = eventIdOf(`enforcer/${call.commandId}`, 0);
    const user = await this.busAccess.admit({ id, group });
    const { replayed } = await carryOut(
      this.store,
      enforcerDecider,
      {
        streamType: "enforcer",
        streamId: enforcerStream(id),
        command: { type: "RegisterEnforcer", name, group, listeners, busKey: user.publicKey },
        request: { name, group, listeners },
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        for (const event of events) await this.enforcers.project(tx, event);
      },
    );
    if (replayed) {
      const message = `the enforcer ${id} was registered before and its credentials shown then; remove it and register anew`;
      throw new Refused("conflict", message, { id });
    }
    return { id, busCredentials: user.credentials };
  }
}
