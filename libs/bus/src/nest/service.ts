import type { DynamicModule, INestMicroservice, LoggerService, Type } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { MicroserviceOptions } from "@nestjs/microservices";
import { Bus } from "../bus.js";
import { type BusOptions, connectBus } from "../connect.js";
import { BusModule } from "./bus.module.js";
import { BusServer } from "./bus-server.js";

export interface ServiceOptions {
  /** A connection to share, which stays the caller's to close, or how to make one. */
  readonly bus: Bus | BusOptions;
  readonly modules: readonly (DynamicModule | Type)[];
  readonly logger?: LoggerService | false;
}

export interface RunningService {
  readonly app: INestMicroservice;
  readonly bus: Bus;
  /** Answers what is under way, then ends. */
  close(): Promise<void>;
}

class Service {}

/** Starts the modules' controllers on the bus. Answers once they listen. @throws what a module's start throws */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const own = !(options.bus instanceof Bus);
  const bus = options.bus instanceof Bus ? options.bus : await connectBus(options.bus);
  const disconnect = async () => {
    if (own) await bus.close();
  };
  try {
    const root: DynamicModule = { module: Service, imports: [BusModule.forRoot(bus), ...options.modules] };
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(root, {
      strategy: new BusServer(bus),
      abortOnError: false,
      logger: options.logger ?? ["error", "warn"],
    });
    await app.listen();
    const close = async () => {
      await app.close();
      await disconnect();
    };
    return { app, bus, close };
  } catch (error) {
    await disconnect();
    throw error;
  }
}

/**
 * A service as a process of its own: says `ready`, and ends in order on SIGTERM and SIGINT. For `main.ts`.
 * @param before what is done once it is started and before it says so
 */
export async function runService(
  describe: () => ServiceOptions,
  before: (service: RunningService) => Promise<void> = async () => {},
): Promise<void> {
  try {
    const service = await startService(describe());
    await before(service);
    let ending = false;
    const end = async () => {
      if (ending) return;
      ending = true;
      await service.close();
      process.exit(0);
    };
    process.once("SIGTERM", () => void end());
    process.once("SIGINT", () => void end());
    console.log("ready");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
