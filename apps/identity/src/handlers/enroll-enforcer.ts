import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import type { CallContext } from "#contracts";
import { carryOut, Refused } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import { CertificateAuthority, type IssuedCertificate } from "../certificates/certificate-authority.js";
import { enforcerDecider, enforcerStream } from "../domain/enforcer.js";
import { Enforcers } from "../projections/enforcers.js";

export class EnrollEnforcer extends Command<IssuedCertificate> {
  constructor(
    readonly id: string,
    /** PKCS #10, PEM. */
    readonly certificateRequest: string,
    readonly softwareVersion: string,
    readonly call: CallContext,
  ) {
    super();
  }
}

@CommandHandler(EnrollEnforcer)
export class EnrollEnforcerHandler implements ICommandHandler<EnrollEnforcer> {
  constructor(
    @Inject(PostgresEventStore) private readonly store: PostgresEventStore,
    @Inject(Enforcers) private readonly enforcers: Enforcers,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
  ) {}

  async execute({ id, certificateRequest, softwareVersion, call }: EnrollEnforcer): Promise<IssuedCertificate> {
    const { name, listeners, removed } = await this.enforcers.get(id);
    if (removed) throw new Refused("gone", "this enforcer was removed; register it anew");
    const hosts = listeners.map(({ host }) => host);
    const certificate = await this.authority.sign(certificateRequest, name, hosts, new Date());
    const { replayed } = await carryOut(
      this.store,
      enforcerDecider,
      {
        streamType: "enforcer",
        streamId: enforcerStream(id),
        command: {
          type: "EnrollEnforcer",
          softwareVersion,
          fingerprint: certificate.fingerprint,
          notAfter: certificate.notAfter.toISOString(),
        },
        request: { certificateRequest, softwareVersion },
        commandId: call.commandId,
        actor: call.actor,
      },
      async (tx, { events }) => {
        for (const event of events) await this.enforcers.project(tx, event);
      },
    );
    // The certificate in hand is not the one in the log.
    if (replayed) throw new Refused("conflict", "this enrolment was answered before; enrol under a new command id");
    return certificate;
  }
}
