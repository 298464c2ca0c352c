import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Inject, Injectable } from "@nestjs/common";
import { Bus, BusFailure } from "#bus";
import { type CallContext, identityV1, modelV1, policyV1, tokensV1 } from "#contracts";
import { type ConnectionSettings, protocols } from "#protocols";
import { enforcersOf } from "../fleet/enforcers-of-group.js";
import { systemCall } from "../http/caller.js";
import { Problem } from "../http/problem.js";
import { chooseListener } from "./enforcer-choice.js";
import { RefusedExchanges } from "./refused-exchanges.js";
import { type Evidence, type TokenErrorCode, TokenRefused } from "./token-error.js";
import type { TokenRequest } from "./token-request.js";

export interface Issued {
  readonly token: tokensV1.Token;
  readonly text: string;
  /** Seconds, from now. */
  readonly expiresIn: number;
  readonly connection: ConnectionSettings;
  /** PEM. */
  readonly ca: string;
}

interface Subject {
  readonly principal: modelV1.Principal;
  /** Of what is good for one token: it is used up with the minting, so that whatever fails before costs nothing. */
  readonly subjectTokenId: string;
}

const RETRY_SECONDS = 5;

/** Trades a workload identity for a token and what is needed to use it. */
@Injectable()
export class Exchange {
  constructor(
    @Inject(Bus) private readonly bus: Bus,
    @Inject(RefusedExchanges) private readonly refusals: RefusedExchanges,
  ) {}

  /** @throws TokenRefused, or Problem `unavailable` */
  async exchange(request: TokenRequest, clientAddress: string): Promise<Issued> {
    let subject: Subject | undefined;
    try {
      subject = await this.verifySubject(request);
      return await this.issue(request, subject);
    } catch (error) {
      if (error instanceof TokenRefused && error.evidence) {
        const { principal, subjectTokenId } = subject ?? {};
        const { evidence, detail } = error;
        await this.refusals.note({
          reason: evidence.reason,
          message: detail,
          issuer: principal?.issuer ?? evidence.issuer ?? "",
          subject: principal?.subject ?? evidence.subject ?? "",
          subjectTokenId: subjectTokenId ?? evidence.subjectTokenId ?? "",
          principalId: principal?.id ?? "",
          resource: request.resource,
          clientAddress,
        });
      }
      throw error;
    }
  }

  private async issue(request: TokenRequest, { principal, subjectTokenId }: Subject): Promise<Issued> {
    const call = callOf(principal);
    const resource = await this.resource(request.resource, call);
    await this.authorize(principal, resource, call);
    const protocol = protocols.get(resource.protocol);
    if (!protocol)
      throw new TokenRefused(
        "invalid_target",
        `${resource.name} speaks ${resource.protocol}, which this version does not`,
      );
    // Before minting: a token nobody can use would only be something more to leak.
    const [listener, ca] = await Promise.all([this.listener(resource, call), this.certificateAuthority(call)]);
    const { token, text } = await this.mint(request, { principal, subjectTokenId }, resource, call);
    const { host, port } = listener;
    const connection = protocol.connectionSettings({
      host,
      port,
      token: text,
      database: resource.upstream?.database ?? "",
    });
    const expiresAt = token.expiresAt ? timestampMs(token.expiresAt) : Date.now();
    return { token, text, expiresIn: Math.max(0, Math.floor((expiresAt - Date.now()) / 1000)), connection, ca };
  }

  private async verifySubject({ subjectToken, subjectTokenType }: TokenRequest): Promise<Subject> {
    const request = create(identityV1.VerifySubjectRequestSchema, { subjectToken, subjectTokenType });
    const asked = this.bus.call(identityV1.Identity.method.verifySubject, request, systemCall("token exchange"));
    const { principal, subjectTokenId } = await asked.catch(refusedAs("invalid_request"));
    if (!principal) throw new TokenRefused("invalid_request", "the subject token names no principal");
    return { principal, subjectTokenId };
  }

  private async resource(name: string, call: CallContext): Promise<policyV1.Resource> {
    const request = create(policyV1.GetResourceRequestSchema, { name });
    return this.bus.call(policyV1.Policy.method.getResource, request, call).catch(refusedAs("invalid_target"));
  }

  private async authorize(principal: modelV1.Principal, { name }: policyV1.Resource, call: CallContext) {
    const request = create(policyV1.AuthorizeConnectRequestSchema, { principal, resource: name });
    const asked = this.bus.call(policyV1.Policy.method.authorizeConnect, request, call);
    const { allowed, reason } = await asked.catch(refusedAs("invalid_target"));
    if (!allowed) {
      const why = reason || "no policy permits it";
      const says = `${principal.id} may not connect to ${name}: ${why}`;
      throw new TokenRefused("invalid_target", says, undefined, { reason: "not_permitted" });
    }
  }

  private async listener({ name, group, protocol }: policyV1.Resource, call: CallContext) {
    const enforcers = await enforcersOf(this.bus, group, call);
    const listener = chooseListener(enforcers, protocol, Date.now(), Math.random());
    if (listener) return listener;
    const detail = `no enforcer of the group ${group} listens for ${protocol}, so ${name} cannot be reached`;
    throw new Problem("unavailable", detail, {}, RETRY_SECONDS);
  }

  private async certificateAuthority(call: CallContext): Promise<string> {
    const request = create(identityV1.GetCertificateAuthorityRequestSchema);
    return (await this.bus.call(identityV1.Identity.method.getCertificateAuthority, request, call)).certificate;
  }

  private async mint(
    request: TokenRequest,
    subject: Subject,
    { name, protocol }: policyV1.Resource,
    call: CallContext,
  ) {
    const { scope, lifetimeSeconds, mode, uses, windowSeconds } = request;
    const mint = create(tokensV1.MintRequestSchema, {
      ...{ ...subject, resource: name, protocol },
      ...{ scope: [...scope], lifetimeSeconds, mode, uses, windowSeconds },
    });
    const { token, text } = await this.bus
      .call(tokensV1.Tokens.method.mint, mint, call)
      .catch(refusedAs("invalid_request"));
    if (!token) throw new Error("Tokens.Mint answered without a token");
    return { token, text };
  }
}

const callOf = ({ id, name }: modelV1.Principal): CallContext => ({
  actor: { id, name: name || id, roles: [] },
  commandId: randomUUID(),
});

/** A service's refusal in the standard's words; what is not a refusal goes on as it is. */
function refusedAs(code: TokenErrorCode) {
  return (error: unknown): never => {
    const refusal = error instanceof BusFailure && !["internal", "unavailable"].includes(error.code);
    if (!refusal) throw error;
    const why = code === "invalid_target" && error.code === "not_found" ? error.code : undefined;
    const word = error.details.field === "scope" ? "invalid_scope" : code;
    throw new TokenRefused(word, error.message, why, why ? { reason: "unknown_resource" } : evidenceOf(error));
  };
}

/** A refusal that gives no reason is about the request's form: nothing for the log. */
function evidenceOf({ details }: BusFailure): Evidence | undefined {
  const { reason, issuer, subject, subject_token_id: subjectTokenId } = details;
  return reason === undefined || reason === "command_id_reused"
    ? undefined
    : { reason, issuer, subject, subjectTokenId };
}
