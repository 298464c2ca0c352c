import { type DynamicModule, Module } from "@nestjs/common";
import { CqrsModule } from "@nestjs/cqrs";
import { DataSource } from "typeorm";
import { Bus } from "#bus";
import { EventStoreModule } from "#event-store-postgres";
import { EdgePolicyController } from "./api/edge-policy.controller.js";
import { PolicyController } from "./api/policy.controller.js";
import { BundleMaker } from "./bundles/bundle-maker.js";
import { BundlePublisher } from "./bundles/bundle-publisher.js";
import { keepSigningKey } from "./bundles/signing-key.js";
import { Declaring } from "./handlers/declaring.js";
import { DeleteDeclaredHandler } from "./handlers/delete-declared.js";
import { PutDeclaredHandler } from "./handlers/put-declared.js";
import type { PolicyConfig } from "./policy.config.js";
import { Declarations } from "./projections/declarations.js";
import { policyMigrations } from "./projections/migrations.js";
import { Simulation } from "./simulation/simulation.js";

/** What an answer with a bundle has besides the definitions. */
const ROOM_BYTES = 64 * 1024;

/** Resources, labels and policies, and the signed bundles made of them. Needs BusModule. */
@Module({})
export class PolicyModule {
  static register({ databaseUrl, keys, leaseSeconds, poolSize }: PolicyConfig): DynamicModule {
    const database = { databaseUrl, migrations: policyMigrations, name: "policy", ...(poolSize && { poolSize }) };
    return {
      module: PolicyModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(database)],
      controllers: [PolicyController, EdgePolicyController],
      providers: [
        { provide: "leaseSeconds", useValue: leaseSeconds },
        {
          provide: Declarations,
          inject: [DataSource, Bus],
          useFactory: (dataSource: DataSource, bus: Bus) =>
            new Declarations(dataSource, { leaseSeconds, bundleLimit: bus.maxPayload - ROOM_BYTES }),
        },
        {
          provide: BundleMaker,
          inject: [Declarations],
          useFactory: async (declarations: Declarations) => new BundleMaker(declarations, await keepSigningKey(keys)),
        },
        BundlePublisher,
        Declaring,
        Simulation,
        PutDeclaredHandler,
        DeleteDeclaredHandler,
      ],
    };
  }
}
