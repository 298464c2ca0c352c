import { type PipeTransform, type Type } from "@nestjs/common";
import { plainToInstance } from "class-transformer";
import { type ValidationError, validateSync } from "class-validator";
import { type InputError, Problem } from "./problem.js";

/**
 * `plain` as a checked instance of `type`. Fields the type does not have are refused, so a typo is never ignored.
 *
 * @throws Problem `invalid`, with every field that is wrong
 */
export function checked<T extends object>(type: Type<T>, plain: unknown, where: "body" | "query" = "body"): T {
  const [value, errors] = inspect(type, plain, where);
  if (errors.length > 0) throw invalidInput(errors);
  return value;
}

/** As `checked`, but lists what is wrong instead of throwing. */
export function inspect<T extends object>(type: Type<T>, plain: unknown, where: "body" | "query", at = "") {
  if (typeof plain !== "object" || plain === null || Array.isArray(plain)) {
    return [new type(), [{ pointer: at, detail: "must be an object" }]] as [T, InputError[]];
  }
  const value = plainToInstance(type, plain, { exposeDefaultValues: true });
  const found = validateSync(value, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  const errors = found.flatMap((error) => flatten(error, at));
  return [value, where === "body" ? errors : errors.map(asParameter)] as [T, InputError[]];
}

export const invalidInput = (errors: readonly InputError[]) =>
  new Problem("invalid", errors.map((e) => `${e.parameter ?? (e.pointer || "the body")} ${e.detail}`).join("; "), {
    errors,
  });

export class Checked<T extends object> implements PipeTransform<unknown, T> {
  constructor(
    private readonly type: Type<T>,
    private readonly where: "body" | "query" = "body",
  ) {}
  transform(value: unknown): T {
    return checked(this.type, value ?? {}, this.where);
  }
}

function flatten(error: ValidationError, at: string): InputError[] {
  const pointer = `${at}/${error.property.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const children = (error.children ?? []).flatMap((child) => flatten(child, pointer));
  if (children.length > 0) return children;
  // One failure a field is enough to act on: "must be a string" says all that "must be at most 63 long" would.
  const [kind, detail] = Object.entries(error.constraints ?? {}).at(-1) ?? ["", "is not valid"];
  return [{ pointer, detail: kind === "whitelistValidation" ? "is not a known field" : detail }];
}

const asParameter = ({ pointer = "", detail }: InputError): InputError => ({ parameter: pointer.slice(1), detail });
