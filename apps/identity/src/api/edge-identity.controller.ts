import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, EdgeRpc } from "#bus/nest";
import { edgeV1 } from "#contracts";
import { CertificateAuthority } from "../certificates/certificate-authority.js";
import { EnrollEnforcer } from "../handlers/enroll-enforcer.js";
import { Enforcers } from "../projections/enforcers.js";
import { enforcerOut, idOf } from "./messages.js";

/** `edge.v1.EdgeIdentity` on the bus. */
@Controller()
export class EdgeIdentityController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Enforcers) private readonly enforcers: Enforcers,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
  ) {}

  @EdgeRpc(edgeV1.EdgeIdentity.method.enroll)
  async enroll({ certificateRequest, softwareVersion }: edgeV1.EnrollRequest, { enforcerId, context }: BusCall) {
    const id = idOf(enforcerId ?? "", "id");
    const { pem } = await this.commands.execute(new EnrollEnforcer(id, certificateRequest, softwareVersion, context));
    return { enforcer: enforcerOut(await this.enforcers.get(id)), certificate: pem, ca: this.authority.pem };
  }
}
