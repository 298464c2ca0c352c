import { rmSync } from "node:fs";
import { join } from "node:path";
import type { CommandBus } from "@nestjs/cqrs";
import { keepKeyFile } from "#bus/nest";
import { CreateAdminKey } from "../handlers/create-admin-key.js";
import type { AdminKeys } from "../projections/admin-keys.js";
import { hashKey, keyIdFor, makeKeyText, sameHash } from "./key-text.js";

/** The same for every start, so that of several at once one makes the key. */
const COMMAND_ID = "8f1b6c2e-5a0d-8c3e-9a41-6f7d2b90e1c5";
const KEY_ID = keyIdFor(COMMAND_ID);

/** An installation's first key, which makes the others. */
export class FirstAdminKey {
  /** @param keys the folder of the key files */
  constructor(
    private readonly commands: CommandBus,
    private readonly adminKeys: AdminKeys,
    private readonly keys: string,
  ) {}

  /** The key's text where it was made just now; null where there is or was one already. */
  async ensure(text = makeKeyText(KEY_ID)): Promise<string | null> {
    if (await this.adminKeys.any()) return null;
    const actor = { id: "system", name: "counterfoil", roles: [] };
    try {
      const call = { actor, commandId: COMMAND_ID };
      return (await this.commands.execute(new CreateAdminKey("first", ["admin", "approver", "auditor"], call, text)))
        .text;
    } catch (error) {
      // Another start made it meanwhile.
      if (await this.adminKeys.any()) return null;
      throw error;
    }
  }

  /** Makes the key, its text in the file `first-admin-key`, which is there before the key: no crash loses it. */
  async ensureFile(): Promise<void> {
    if (await this.adminKeys.any()) return;
    const path = join(this.keys, "first-admin-key");
    const text = await keepKeyFile(path, () => makeKeyText(KEY_ID));
    await this.ensure(text);
    const made = await this.adminKeys.find(KEY_ID);
    // Made by a start that keeps its keys elsewhere.
    if (!made || !sameHash(made.secretHash, hashKey(text))) rmSync(path, { force: true });
  }
}
