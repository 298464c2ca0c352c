import { type DynamicModule, Module } from "@nestjs/common";
import { CommandBus, CqrsModule } from "@nestjs/cqrs";
import { DataSource } from "typeorm";
import { EventStoreModule } from "#event-store-postgres";
import { Authentication } from "./admin-keys/authentication.js";
import { FirstAdminKey } from "./admin-keys/first-admin-key.js";
import { AdminKeysController } from "./api/admin-keys.controller.js";
import { EdgeIdentityController } from "./api/edge-identity.controller.js";
import { EnforcersController } from "./api/enforcers.controller.js";
import { IssuersController } from "./api/issuers.controller.js";
import { SigningKeyFile } from "./api/signing-key-file.js";
import { BusAccess } from "./bus-access/bus-access.js";
import { Presence } from "./bus-access/presence.js";
import { CertificateAuthority } from "./certificates/certificate-authority.js";
import { CreateAdminKeyHandler } from "./handlers/create-admin-key.js";
import { DeleteIssuerHandler } from "./handlers/delete-issuer.js";
import { EnrollEnforcerHandler } from "./handlers/enroll-enforcer.js";
import { PutIssuerHandler } from "./handlers/put-issuer.js";
import { RegisterEnforcerHandler } from "./handlers/register-enforcer.js";
import { RemoveEnforcerHandler } from "./handlers/remove-enforcer.js";
import { RevokeAdminKeyHandler } from "./handlers/revoke-admin-key.js";
import type { IdentityConfig } from "./identity.config.js";
import { AdminKeys } from "./projections/admin-keys.js";
import { Enforcers } from "./projections/enforcers.js";
import { Issuers } from "./projections/issuers.js";
import { identityMigrations } from "./projections/migrations.js";
import { IssuerKeys } from "./subjects/issuer-keys.js";
import { SubjectVerifier } from "./subjects/subject-verifier.js";

/** Trusted issuers, administrators' keys, and the enforcers that may join. Needs BusModule. */
@Module({})
export class IdentityModule {
  static register({ databaseUrl, natsUrl, keys, poolSize }: IdentityConfig): DynamicModule {
    const database = { databaseUrl, migrations: identityMigrations, name: "identity", ...(poolSize && { poolSize }) };
    return {
      module: IdentityModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(database)],
      controllers: [IssuersController, AdminKeysController, EnforcersController, EdgeIdentityController],
      providers: [
        ...[Issuers, AdminKeys, Enforcers].map((projection) => ({
          provide: projection,
          inject: [DataSource],
          useFactory: (dataSource: DataSource) => new projection(dataSource),
        })),
        {
          provide: SubjectVerifier,
          inject: [Issuers],
          useFactory: (issuers: Issuers) => new SubjectVerifier(issuers, new IssuerKeys()),
        },
        { provide: CertificateAuthority, useFactory: () => CertificateAuthority.open(keys) },
        {
          provide: BusAccess,
          inject: [Enforcers],
          useFactory: (enforcers: Enforcers) => new BusAccess(keys, natsUrl, enforcers),
        },
        { provide: SigningKeyFile, useValue: new SigningKeyFile(keys) },
        Presence,
        Authentication,
        {
          provide: FirstAdminKey,
          inject: [CommandBus, AdminKeys],
          useFactory: (commands: CommandBus, adminKeys: AdminKeys) => new FirstAdminKey(commands, adminKeys, keys),
        },
        PutIssuerHandler,
        DeleteIssuerHandler,
        CreateAdminKeyHandler,
        RevokeAdminKeyHandler,
        RegisterEnforcerHandler,
        EnrollEnforcerHandler,
        RemoveEnforcerHandler,
      ],
    };
  }
}
