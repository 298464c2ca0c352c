import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, Rpc } from "#bus/nest";
import { identityV1 } from "#contracts";
import { Refused } from "#event-store";
import { Authentication } from "../admin-keys/authentication.js";
import { CreateAdminKey } from "../handlers/create-admin-key.js";
import { RevokeAdminKey } from "../handlers/revoke-admin-key.js";
import { AdminKeys } from "../projections/admin-keys.js";
import { adminKeyOut, idOf, idPageOf, versionOf } from "./messages.js";

const { method } = identityV1.Identity;

/** The administrators' keys of `identity.v1.Identity`. */
@Controller()
export class AdminKeysController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(AdminKeys) private readonly adminKeys: AdminKeys,
    @Inject(Authentication) private readonly authentication: Authentication,
  ) {}

  @Rpc(method.createAdminKey)
  async createAdminKey({ name, roles }: identityV1.CreateAdminKeyRequest, { context }: BusCall) {
    const { id, text } = await this.commands.execute(new CreateAdminKey(name, roles, context));
    return { key: await this.keyOut(id), secret: text };
  }

  @Rpc(method.authenticateAdminKey)
  async authenticateAdminKey({ secret }: identityV1.AuthenticateAdminKeyRequest) {
    const { id, name, roles } = await this.authentication.actorOf(secret);
    return { actor: { id, name, roles: [...roles] } };
  }

  @Rpc(method.listAdminKeys)
  async listAdminKeys({ page }: identityV1.ListAdminKeysRequest) {
    const { items, next } = await this.adminKeys.list(idPageOf(page));
    return { keys: items.map(adminKeyOut), next };
  }

  @Rpc(method.revokeAdminKey)
  async revokeAdminKey({ id, precondition }: identityV1.RevokeAdminKeyRequest, { context }: BusCall) {
    await this.commands.execute(new RevokeAdminKey(idOf(id, "id"), versionOf(precondition), context));
    return this.keyOut(id);
  }

  private async keyOut(id: string) {
    const key = await this.adminKeys.find(id);
    if (!key) throw new Refused("not_found", "there is no such key");
    return adminKeyOut(key);
  }
}
