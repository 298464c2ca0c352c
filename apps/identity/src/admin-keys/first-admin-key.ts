import { Inject, Injectable } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { CreateAdminKey } from "../handlers/create-admin-key.js";
import { AdminKeys } from "../projections/admin-keys.js";

/** The same for every start, so that of several at once one makes the key. */
const COMMAND_ID = "8f1b6c2e-5a0d-8c3e-9a41-6f7d2b90e1c5";

/** An installation's first key, which makes the others. */
@Injectable()
export class FirstAdminKey {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(AdminKeys) private readonly adminKeys: AdminKeys,
  ) {}

  /** The key's text where it was made just now; null where there is or was one already. */
  async ensure(): Promise<string | null> {
    if (await this.adminKeys.any()) return null;
    const actor = { id: "system", name: "counterfoil", roles: [] };
    try {
      const call = { actor, commandId: COMMAND_ID };
      return (await this.commands.execute(new CreateAdminKey("first", ["admin", "approver", "auditor"], call))).text;
    } catch (error) {
      // Another start made it meanwhile.
      if (await this.adminKeys.any()) return null;
      throw error;
    }
  }
}
