import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, Rpc } from "#bus/nest";
import { identityV1 } from "#contracts";
import { CertificateAuthority } from "../certificates/certificate-authority.js";
import { RegisterEnforcer } from "../handlers/register-enforcer.js";
import { RemoveEnforcer } from "../handlers/remove-enforcer.js";
import { Enforcers } from "../projections/enforcers.js";
import { enforcerOut, idOf, idPageOf, versionOf } from "./messages.js";
import { SigningKeyFile } from "./signing-key-file.js";

const { method } = identityV1.Identity;

/** The enforcers of `identity.v1.Identity`. */
@Controller()
export class EnforcersController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Enforcers) private readonly enforcers: Enforcers,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
    @Inject(SigningKeyFile) private readonly signingKey: SigningKeyFile,
  ) {}

  @Rpc(method.registerEnforcer)
  async registerEnforcer({ name, group, listeners }: identityV1.RegisterEnforcerRequest, { context }: BusCall) {
    const signingKey = this.signingKey.read();
    const given = listeners.map(({ protocol, host, port }) => ({ protocol, host, port }));
    const { id, busCredentials } = await this.commands.execute(new RegisterEnforcer(name, group, given, context));
    return { enforcer: enforcerOut(await this.enforcers.get(id)), busCredentials, signingKey };
  }

  @Rpc(method.getEnforcer)
  async getEnforcer({ id }: identityV1.GetEnforcerRequest) {
    return enforcerOut(await this.enforcers.get(idOf(id, "id")));
  }

  @Rpc(method.listEnforcers)
  async listEnforcers({ page, group }: identityV1.ListEnforcersRequest) {
    const { items, next } = await this.enforcers.list(idPageOf(page), idOf(group, "group", true));
    return { enforcers: items.map(enforcerOut), next };
  }

  @Rpc(method.removeEnforcer)
  async removeEnforcer({ id, precondition }: identityV1.RemoveEnforcerRequest, { context }: BusCall) {
    await this.commands.execute(new RemoveEnforcer(idOf(id, "id"), versionOf(precondition), context));
    return enforcerOut(await this.enforcers.get(id));
  }

  @Rpc(method.getCertificateAuthority)
  async getCertificateAuthority() {
    return { certificate: this.authority.pem };
  }
}
