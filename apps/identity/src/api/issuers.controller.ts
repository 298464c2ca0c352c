import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, Rpc } from "#bus/nest";
import { identityV1 } from "#contracts";
import { checkIssuer } from "../domain/issuer.js";
import { DeleteIssuer } from "../handlers/delete-issuer.js";
import { PutIssuer } from "../handlers/put-issuer.js";
import { Issuers } from "../projections/issuers.js";
import { SubjectVerifier } from "../subjects/subject-verifier.js";
import { idPageOf, issuerIn, issuerOut, nameOf, versionOf } from "./messages.js";

const { method } = identityV1.Identity;

/** The issuers of `identity.v1.Identity`, and the tokens they signed. */
@Controller()
export class IssuersController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Issuers) private readonly issuers: Issuers,
    @Inject(SubjectVerifier) private readonly verifier: SubjectVerifier,
  ) {}

  @Rpc(method.putIssuer)
  async putIssuer({ issuer, precondition }: identityV1.PutIssuerRequest, { context }: BusCall) {
    return issuerOut(await this.commands.execute(new PutIssuer(issuerIn(issuer), versionOf(precondition), context)));
  }

  @Rpc(method.checkIssuer)
  async checkIssuer({ issuer }: identityV1.CheckIssuerRequest) {
    checkIssuer(issuerIn(issuer));
    return {};
  }

  @Rpc(method.getIssuer)
  async getIssuer({ name }: identityV1.GetIssuerRequest) {
    return issuerOut(await this.issuers.get(nameOf(name)));
  }

  @Rpc(method.listIssuers)
  async listIssuers({ page }: identityV1.ListIssuersRequest) {
    const { items, next } = await this.issuers.list(idPageOf(page));
    return { issuers: items.map(issuerOut), next };
  }

  @Rpc(method.deleteIssuer)
  async deleteIssuer({ name, precondition }: identityV1.DeleteIssuerRequest, { context }: BusCall) {
    await this.commands.execute(new DeleteIssuer(nameOf(name), versionOf(precondition), context));
    return {};
  }

  @Rpc(method.verifySubject)
  async verifySubject({ subjectToken, subjectTokenType }: identityV1.VerifySubjectRequest) {
    const { principal, expiresAt, onceBy } = await this.verifier.verify(subjectToken, subjectTokenType);
    return {
      principal: { ...principal, groups: [...principal.groups], onBehalfOf: [...principal.onBehalfOf] },
      expiresAt: timestampFromDate(expiresAt),
      subjectTokenId: onceBy,
    };
  }
}
