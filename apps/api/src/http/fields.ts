/** One statement a field: what the input check demands is what the OpenAPI document says. */
import { applyDecorators, type Type as ClassType } from "@nestjs/common";
import { ApiProperty, type ApiPropertyOptions } from "@nestjs/swagger";
import { Transform, Type } from "class-transformer";
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
  NotContains,
  registerDecorator,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  type ValidationOptions,
} from "class-validator";

interface Documented {
  readonly description: string;
  readonly example?: unknown;
  readonly optional?: boolean;
}
interface TextOptions extends Documented {
  readonly min?: number;
  /** `Infinity`: of an answer, as long as it is. */
  readonly max?: number;
  readonly pattern?: RegExp;
  /** What the pattern asks for, as the end of "must be …". */
  readonly says?: string;
  readonly format?: string;
}

const NAME = /^[a-z][a-z0-9_-]{0,62}$/;
const LABEL_NAME = /^[a-z][a-z0-9_.-]{0,62}$/;
const DEFAULT_MAX = 1024;

const document = (schema: ApiPropertyOptions, { description, example, optional }: Documented) =>
  ApiProperty({
    ...schema,
    description,
    required: !optional,
    ...(example === undefined ? {} : { example }),
  } as ApiPropertyOptions);

/** Absent is fine where optional; null never is. */
const presence = (options: Documented) => (options.optional ? [ValidateIf((_, value) => value !== undefined)] : []);

const textSchema = ({ min, max = DEFAULT_MAX, pattern, format }: TextOptions) => ({
  type: "string" as const,
  ...(min === undefined ? {} : { minLength: min }),
  ...(max === Number.POSITIVE_INFINITY ? {} : { maxLength: max }),
  ...(pattern ? { pattern: pattern.source } : {}),
  ...(format ? { format } : {}),
});

/** What is not would be kept as another text: UTF-8 has no way to say it. */
const WellFormed = (options: ValidationOptions) =>
  ValidateBy(
    { name: "isWellFormed", validator: { validate: (text) => typeof text === "string" && !HALF.test(text) } },
    options,
  );
const HALF = /\p{Surrogate}/u;

function textChecks({ min, max = DEFAULT_MAX, pattern, says }: TextOptions, each: boolean) {
  const start = each ? "each must be" : "must be";
  return [
    IsString({ each, message: `${start} a string` }),
    NotContains("\0", { each, message: `${start} without a zero character` }),
    WellFormed({ each, message: `${start} well-formed Unicode, without half of a surrogate pair` }),
    MaxLength(max, { each, message: `${start} at most ${max} characters long` }),
    ...(min === undefined
      ? []
      : [
          MinLength(min, {
            each,
            message:
              min === 1
                ? each
                  ? "none may be empty"
                  : "must not be empty"
                : `${start} at least ${min} characters long`,
          }),
        ]),
    ...(pattern ? [Matches(pattern, { each, message: `${start} ${says ?? `like ${pattern.source}`}` })] : []),
  ];
}

export const Text = (options: TextOptions) =>
  applyDecorators(document(textSchema(options), options), ...presence(options), ...textChecks(options, false));

export const Texts = (options: TextOptions & { atLeast?: number; atMost?: number }) => {
  const { atLeast = 0, atMost = 1000 } = options;
  return applyDecorators(
    document(
      { type: "array", items: textSchema(options), minItems: atLeast, maxItems: atMost } as ApiPropertyOptions,
      options,
    ),
    ...presence(options),
    IsArray({ message: "must be a list of strings" }),
    ArrayMinSize(atLeast, { message: `must have at least ${atLeast} item${atLeast === 1 ? "" : "s"}` }),
    ArrayMaxSize(atMost, { message: `must have at most ${atMost} items` }),
    ...textChecks(options, true),
  );
};

const nameText = "a name: a lower-case letter, then up to 62 of a-z, 0-9, _ and -";
export const Name = (options: Documented) => Text({ ...options, max: 63, pattern: NAME, says: nameText });
export const LabelName = (options: Documented) =>
  Text({ ...options, max: 63, pattern: LABEL_NAME, says: `${nameText}; labels may also have dots` });
export const isName = (text: string) => NAME.test(text);
export const isLabelName = (text: string) => LABEL_NAME.test(text);

interface IntegerOptions extends Documented {
  readonly min?: number;
  readonly max?: number;
}
export const Integer = (options: IntegerOptions) => {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`;
  return applyDecorators(
    document({ type: "integer", minimum: min, maximum: max }, options),
    ...presence(options),
    IsInt({ message: `must be a whole number ${range}` }),
    Min(min, { message: `must be a whole number ${range}` }),
    Max(max, { message: `must be a whole number ${range}` }),
  );
};

/** An integer in a query string or a form, where everything arrives as text. */
export const IntegerText = (options: IntegerOptions) =>
  applyDecorators(
    Transform(({ value }) => (typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value)),
    Integer(options),
  );

/** `true` or `false` in a query string. */
export const FlagText = (options: Documented) =>
  applyDecorators(
    Transform(({ value }) => (value === "true" || value === "" ? true : value === "false" ? false : value)),
    document({ type: "boolean" }, options),
    ...presence(options),
    IsBoolean({ message: "must be true or false" }),
  );

export const Flag = (options: Documented) =>
  applyDecorators(
    document({ type: "boolean" }, options),
    ...presence(options),
    IsBoolean({ message: "must be true or false" }),
  );

export const Choice = (values: readonly string[], options: Documented) =>
  applyDecorators(
    document({ type: "string", enum: [...values] }, options),
    ...presence(options),
    IsIn(values, { message: `must be one of ${values.join(", ")}` }),
  );

export const Choices = (values: readonly string[], options: Documented & { atLeast?: number }) =>
  applyDecorators(
    document(
      {
        type: "array",
        items: { type: "string", enum: [...values] },
        minItems: options.atLeast ?? 0,
      } as ApiPropertyOptions,
      options,
    ),
    ...presence(options),
    IsArray({ message: "must be a list" }),
    ArrayMinSize(options.atLeast ?? 0, { message: `must have at least ${options.atLeast} of ${values.join(", ")}` }),
    IsIn(values, { each: true, message: `each must be one of ${values.join(", ")}` }),
  );

/** An RFC 3339 time in an answer. */
export const Moment = (options: Documented) =>
  document({ type: "string", format: "date-time" }, { example: "2026-05-01T09:30:00.000Z", ...options });

const objectOnly = (each: boolean) => (target: object, propertyName: string | symbol) =>
  registerDecorator({
    name: "isPlainObject",
    target: target.constructor,
    propertyName: propertyName as string,
    validator: {
      validate: (value) => (each ? Array.isArray(value) && value.every(isObject) : isObject(value)),
      defaultMessage: () => (each ? "must be a list of objects" : "must be an object"),
    },
  });
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

export const Nested = (type: () => ClassType, options: Documented) =>
  applyDecorators(
    document({ type: () => type() }, options),
    ...presence(options),
    objectOnly(false),
    Type(type),
    ValidateNested({ message: "must be an object" }),
  );

export const NestedList = (type: () => ClassType, options: Documented & { atMost?: number }) =>
  applyDecorators(
    document({ type: () => type(), isArray: true, maxItems: options.atMost ?? 10_000 } as ApiPropertyOptions, options),
    ...presence(options),
    objectOnly(true),
    ArrayMaxSize(options.atMost ?? 10_000, { message: `must have at most ${options.atMost ?? 10_000} items` }),
    Type(type),
    ValidateNested({ each: true, message: "each must be an object" }),
  );

/** An object whose values are strings. */
export const TextMap = (options: Documented) =>
  applyDecorators(
    document(
      { type: "object", additionalProperties: { type: "string", maxLength: DEFAULT_MAX } } as ApiPropertyOptions,
      options,
    ),
    ...presence(options),
    (target: object, propertyName: string | symbol) =>
      registerDecorator({
        name: "isTextMap",
        target: target.constructor,
        propertyName: propertyName as string,
        validator: {
          validate: (value) =>
            isObject(value) &&
            Object.entries(value).every(
              ([key, v]) => typeof v === "string" && v.length <= DEFAULT_MAX && !HALF.test(key + v),
            ),
          defaultMessage: (args) => textMapProblem(args?.value),
        },
      }),
  );

function textMapProblem(value: unknown): string {
  const entries = isObject(value) ? Object.entries(value as object) : [];
  // YAML reads 1, true and 2026-01-01 as no texts, and would read 007 as 7 on the way back.
  const [name, scalar] = entries.find(([, v]) => ["number", "boolean"].includes(typeof v) || v === null) ?? [];
  if (name !== undefined) return `must hold texts: write ${name}: "${scalar}", in quotes`;
  return "must be an object whose values are strings";
}
