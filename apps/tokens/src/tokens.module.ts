import { type DynamicModule, Module } from "@nestjs/common";
import { CqrsModule } from "@nestjs/cqrs";
import { EventStoreModule } from "#event-store-postgres";
import { EdgeTokensApi } from "./api/edge-tokens.api.js";
import { TokensApi } from "./api/tokens.api.js";
import { CLOCK, type Clock } from "./clock.js";
import { Closing } from "./handlers/closing.js";
import { EndSessionHandler } from "./handlers/end-session.js";
import { MintHandler } from "./handlers/mint.js";
import { RedeemHandler } from "./handlers/redeem.js";
import { ReleaseHandler } from "./handlers/release.js";
import { RevokeHandler } from "./handlers/revoke.js";
import { TokenCommands } from "./handlers/token-commands.js";
import { KEYS, keepKeys } from "./keys.js";
import { tokensMigrations } from "./projections/schema.js";
import { TokenQueries } from "./projections/token-queries.js";
import type { TokensConfig } from "./tokens.config.js";

/** Mints, redeems, lists and revokes tokens; owns the leases. Needs `Bus`. */
@Module({})
export class TokensModule {
  static register(config: TokensConfig, clock: Clock = Date.now): DynamicModule {
    return {
      module: TokensModule,
      imports: [
        CqrsModule.forRoot(),
        EventStoreModule.forRoot({ databaseUrl: config.databaseUrl, migrations: tokensMigrations, name: "tokens" }),
      ],
      controllers: [TokensApi, EdgeTokensApi],
      providers: [
        { provide: CLOCK, useValue: clock },
        { provide: KEYS, useFactory: () => keepKeys(config.keys) },
        ...[TokenCommands, TokenQueries, Closing],
        ...[MintHandler, RedeemHandler, ReleaseHandler, RevokeHandler, EndSessionHandler],
      ],
    };
  }
}
