import { type DynamicModule, Module } from "@nestjs/common";
import { DataSource } from "typeorm";
import { EventStoreModule } from "#event-store-postgres";
import { AuditController } from "./api/audit.controller.js";
import type { AuditConfig } from "./audit.config.js";
import { Announcer } from "./intake/announcer.js";
import { ControlIntake } from "./intake/control-intake.js";
import { Leases } from "./intake/leases.js";
import { RecordConsumer } from "./intake/record-consumer.js";
import { RecordIntake } from "./intake/record-intake.js";
import { SessionEnds } from "./intake/session-ends.js";
import { Surroundings } from "./intake/surroundings.js";
import { UnheardSweep } from "./intake/unheard-sweep.js";
import { AuditLog } from "./log/audit-log.js";
import { auditMigrations } from "./log/migrations.js";
import { SessionQueries } from "./projections/session-queries.js";

/** The audit log: what comes in, what is read from it, and its endpoints on the bus. Needs BusModule. */
@Module({})
export class AuditModule {
  static register({ databaseUrl, poolSize }: AuditConfig): DynamicModule {
    const database = { databaseUrl, migrations: auditMigrations, name: "audit", ...(poolSize && { poolSize }) };
    return {
      module: AuditModule,
      imports: [EventStoreModule.forRoot(database)],
      controllers: [AuditController],
      providers: [
        { provide: AuditLog, useFactory: (dataSource: DataSource) => new AuditLog(dataSource), inject: [DataSource] },
        {
          provide: SessionQueries,
          useFactory: (dataSource: DataSource) => new SessionQueries(dataSource),
          inject: [DataSource],
        },
        Announcer,
        Leases,
        Surroundings,
        SessionEnds,
        RecordIntake,
        ControlIntake,
        RecordConsumer,
        UnheardSweep,
      ],
    };
  }
}
