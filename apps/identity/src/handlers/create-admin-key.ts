import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut, Refused } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { hashKey, keyIdFor, makeKeyText } from "../admin-keys/key-text.js";
import { adminKeyDecider, adminKeyStream } from "../domain/admin-key.js";
import { AdminKeys } from "../projections/admin-keys.js";

export interface CreatedAdminKey {
  readonly id: string;
  /** Known to nobody else from here on. */
  readonly text: string;
}

export class CreateAdminKey extends Command<CreatedAdminKey> {
  constructor(
    readonly name: string,
    readonly roles: readonly string[],
    readonly call: CallContext,
    /** Of `makeKeyText` for the command's id; absent: a new one. */
    readonly text = makeKeyText(keyIdFor(call.commandId)),
  ) {
    super();
  }
}

@CommandHandler(CreateAdminKey)
export class CreateAdminKeyHandler implements ICommandHandler<CreateAdminKey> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(AdminKeys) private readonly adminKeys: AdminKeys,
  ) {}

  async execute({ name, roles, call, text }: CreateAdminKey): Promise<CreatedAdminKey> {
    const id = keyIdFor(call.commandId);
    const { replayed } = await carryOut(
      this.store,
      adminKeyDecider,
      {
        streamType: "admin_key",
        streamId: adminKeyStream(id),
        command: { type: "CreateAdminKey", name, roles, secretHash: hashKey(text) },
        request: { name, roles },
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        for (const event of events) await this.adminKeys.project(tx, event);
      },
    );
    if (replayed) {
      throw new Refused("conflict", `the key ${id} was made before and shown then; revoke it and make another`, { id });
    }
    return { id, text };
  }
}
