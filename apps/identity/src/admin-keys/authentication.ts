import { Inject, Injectable } from "@nestjs/common";
import { Refused } from "#event-store";
import { AdminKeys } from "../projections/admin-keys.js";
import { hashKey, keyIdOf, sameHash } from "./key-text.js";

export interface AuthenticatedActor {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
}

/** Who holds a key. */
@Injectable()
export class Authentication {
  constructor(@Inject(AdminKeys) private readonly adminKeys: AdminKeys) {}

  /** @throws Refused `forbidden`, the same for every reason */
  async actorOf(secret: string): Promise<AuthenticatedActor> {
    const id = keyIdOf(secret);
    const key = id ? await this.adminKeys.find(id) : null;
    if (!key || !sameHash(key.secretHash, hashKey(secret)) || key.revokedAt) {
      throw new Refused("forbidden", "this key is not known, or was revoked");
    }
    return { id: key.id, name: key.name, roles: key.roles };
  }
}
