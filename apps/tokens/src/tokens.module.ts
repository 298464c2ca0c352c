import { type DynamicModule, Module } from "@nestjs/common";
import { CqrsModule } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import { EventStoreModule } from "#event-store-postgres";
import { EdgeTokensController } from "./api/edge-tokens.controller.js";
import { TokensController } from "./api/tokens.controller.js";
import { Closing } from "./handlers/closing.js";
import { EndSessionHandler } from "./handlers/end-session.js";
import { MintHandler } from "./handlers/mint.js";
import { Reach } from "./handlers/reach.js";
import { RecordRefusalHandler } from "./handlers/record-refusal.js";
import { RedeemHandler } from "./handlers/redeem.js";
import { ReleaseHandler } from "./handlers/release.js";
import { RevokeHandler } from "./handlers/revoke.js";
import { TokenCommands } from "./handlers/token-commands.js";
import { KEYS, keepKeys } from "./keys.js";
import { tokensMigrations } from "./projections/migrations.js";
import { TokenQueries } from "./projections/token-queries.js";
import type { TokensConfig } from "./tokens.config.js";

/** Mints, redeems, lists and revokes tokens; owns the leases. Needs BusModule. */
@Module({})
export class TokensModule {
  static register({ databaseUrl, keys, poolSize }: TokensConfig, clock: Clock = Date.now): DynamicModule {
    const database = { databaseUrl, migrations: tokensMigrations, name: "tokens", ...(poolSize && { poolSize }) };
    return {
      module: TokensModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(database)],
      controllers: [TokensController, EdgeTokensController],
      providers: [
        { provide: CLOCK, useValue: clock },
        { provide: KEYS, useFactory: () => keepKeys(keys) },
        ...[TokenCommands, TokenQueries, Closing, Reach],
        ...[MintHandler, RedeemHandler, ReleaseHandler, RevokeHandler, EndSessionHandler, RecordRefusalHandler],
      ],
    };
  }
}
