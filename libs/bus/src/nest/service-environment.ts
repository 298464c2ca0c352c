import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { plainToInstance, Transform } from "class-transformer";
import { IsInt, IsOptional, Matches, Max, Min, ValidateBy, validateSync } from "class-validator";
import type { BusOptions } from "../connect.js";

class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

const optional = (check: PropertyDecorator): PropertyDecorator => {
  const absent = IsOptional();
  return (target, property) => {
    absent(target, property);
    check(target, property);
  };
};

const ReadableFile = () =>
  ValidateBy({
    name: "readableFile",
    validator: {
      validate: (path) => problemReading(path) === null,
      defaultMessage: (given) => `${given?.property} must be a file that can be read: ${problemReading(given?.value)}`,
    },
  });

function problemReading(path: unknown): string | null {
  try {
    readFileSync(String(path));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A whole number in decimal; absent means the field's default. */
export function WholeNumber(least: number, most: number): PropertyDecorator {
  const message = `$property must be a whole number from ${least} to ${most}`;
  const checks = [
    Transform(({ value }) => (typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value)),
    ...[IsInt({ message }), Min(least, { message }), Max(most, { message })],
  ];
  return (target, property) => {
    for (const check of checks) check(target, property as string);
  };
}

/** What every process on the bus is told. */
export class BusEnvironment {
  @Matches(/^(nats|tls):\/\/[^\s,]+(,(nats|tls):\/\/[^\s,]+)*$/, {
    message: "$property must be nats://host:port or tls://host:port, or several separated by commas",
  })
  readonly COUNTERFOIL_NATS_URL!: string;

  @optional(ReadableFile())
  readonly COUNTERFOIL_NATS_CREDENTIALS?: string;

  /** @param name shown in the bus's monitoring */
  bus(name: string): BusOptions {
    const file = this.COUNTERFOIL_NATS_CREDENTIALS;
    const credentials = file === undefined ? undefined : readFileSync(file, "utf8");
    return { url: this.COUNTERFOIL_NATS_URL, name, ...(credentials !== undefined && { credentials }) };
  }
}

/** What every control service is told. */
export class ServiceEnvironment extends BusEnvironment {
  @Matches(/^postgres(ql)?:\/\//, { message: "$property must be a PostgreSQL URI, postgres://…" })
  readonly COUNTERFOIL_DATABASE_URL!: string;
}

/** What a control service with keys of its own is told. */
export class KeyedServiceEnvironment extends ServiceEnvironment {
  @Matches(/\S/, { message: "$property must be the folder of the key files" })
  readonly COUNTERFOIL_KEYS!: string;

  /** The folder of the key files, absolute. */
  get keys(): string {
    return resolve(this.COUNTERFOIL_KEYS);
  }
}

/**
 * The variables a class with class-validator's decorators describes. An empty one is an absent one.
 * @throws EnvironmentError with a line for each variable that is wrong: its name and what it must be, never its value
 */
export function readEnvironment<T extends object>(shape: new () => T, environment: NodeJS.ProcessEnv): T {
  const given = Object.entries(environment).filter(([name, value]) => name.startsWith("COUNTERFOIL_") && value !== "");
  const read = plainToInstance(shape, Object.fromEntries(given), { exposeDefaultValues: true });
  // One line a variable: its checks say the same thing.
  const problems = validateSync(read).map(({ constraints }) => Object.values(constraints ?? {})[0]);
  if (problems.length > 0) throw new EnvironmentError(`the environment is not right:\n  ${problems.join("\n  ")}`);
  return read;
}
