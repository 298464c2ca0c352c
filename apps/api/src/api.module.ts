import { type DynamicModule, Module } from "@nestjs/common";
import { APP_FILTER, APP_GUARD } from "@nestjs/core";
import type { Bus } from "#bus";
import { BusModule } from "#bus/nest";
import { API_CONFIG, type ApiConfig } from "./api.config.js";
import { ApplyController } from "./declared/apply.controller.js";
import { Apply } from "./declared/apply.js";
import { declaredController } from "./declared/declared.controller.js";
import { KINDS } from "./declared/document.js";
import { SimulationController } from "./declared/simulation.controller.js";
import { ApiDescription, DocsController } from "./docs/docs.controller.js";
import { EventsController } from "./events/events.controller.js";
import { Exchange } from "./exchange/exchange.js";
import { RefusedExchanges } from "./exchange/refused-exchanges.js";
import { TokenController } from "./exchange/token.controller.js";
import { AdminKeysController } from "./fleet/admin-keys.controller.js";
import { EnforcersController } from "./fleet/enforcers.controller.js";
import { HealthController } from "./health.controller.js";
import { AccessGuard } from "./http/access.js";
import { ProblemFilter } from "./http/problem.filter.js";
import { ApprovalsController } from "./operations/approvals.controller.js";
import { SessionsController } from "./operations/sessions.controller.js";
import { TokensController } from "./operations/tokens.controller.js";

@Module({})
export class ApiModule {
  static register(config: ApiConfig, bus: Bus): DynamicModule {
    return {
      module: ApiModule,
      imports: [BusModule.forRoot(bus)],
      controllers: [
        TokenController,
        ApplyController,
        SimulationController,
        ...KINDS.map(declaredController),
        EnforcersController,
        SessionsController,
        ApprovalsController,
        TokensController,
        EventsController,
        AdminKeysController,
        HealthController,
        DocsController,
      ],
      providers: [
        { provide: API_CONFIG, useValue: config },
        { provide: APP_GUARD, useClass: AccessGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
        Apply,
        Exchange,
        RefusedExchanges,
        ApiDescription,
      ],
    };
  }
}
