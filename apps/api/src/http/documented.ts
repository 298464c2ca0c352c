import { applyDecorators } from "@nestjs/common";
import { ApiHeader, ApiProduces, ApiProperty, ApiPropertyOptional, ApiResponse } from "@nestjs/swagger";
import { PROBLEMS, type ProblemCode } from "./problem.js";

export class InputErrorDocument {
  @ApiPropertyOptional({ description: "RFC 6901 pointer into the body.", type: "string", example: "/upstream/port" })
  pointer?: string;
  @ApiPropertyOptional({ description: "The query or path parameter.", type: "string", example: "limit" })
  parameter?: string;
  @ApiProperty({ description: "What is wrong.", type: "string", example: "must be a whole number from 1 to 65535" })
  detail!: string;
}

/** RFC 9457. */
export class ProblemDocument {
  @ApiProperty({
    description: "Names the kind of problem.",
    type: "string",
    example: "urn:counterfoil:problem:invalid",
  })
  type!: string;
  @ApiProperty({ type: "string", description: "The kind, for people.", example: PROBLEMS.invalid[1] })
  title!: string;
  @ApiProperty({ type: "integer", description: "The HTTP status.", example: 400 })
  status!: number;
  @ApiProperty({ type: "string", description: "What went wrong this time.", example: "limit must be from 1 to 1000" })
  detail!: string;
  @ApiProperty({ type: "string", description: "The request's path.", example: "/v1/resources" })
  instance!: string;
  @ApiProperty({ type: "string", enum: Object.keys(PROBLEMS), description: "A stable machine word." })
  code!: string;
  @ApiProperty({ type: "string", description: "What to do about it.", example: PROBLEMS.invalid[2] })
  advice!: string;
  @ApiProperty({ type: "string", description: "Also in the X-Request-Id header.", example: "b2f5ff47-…" })
  request_id!: string;
  @ApiPropertyOptional({ type: () => InputErrorDocument, isArray: true, description: "Of `invalid`: each field." })
  errors?: InputErrorDocument[];
  @ApiPropertyOptional({
    type: "object",
    additionalProperties: { type: "string" },
    description: "More that the refusing service says.",
  })
  details?: Record<string, string>;
}

/** The problems a route may answer with; `internal`, `rate_limited` and `unavailable` go without saying. */
export function Fails(...codes: ProblemCode[]) {
  const byStatus = new Map<number, string[]>();
  for (const code of [...codes, "rate_limited", "internal", "unavailable"] as const) {
    const [status, title] = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), title]);
  }
  return applyDecorators(
    ApiProduces("application/json"),
    ...[...byStatus].map(([status, titles]) =>
      ApiResponse({
        status,
        description: `${titles.join("; or: ")}.`,
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/ProblemDocument" } } },
      }),
    ),
  );
}

export const Idempotent = () =>
  ApiHeader({
    name: "Idempotency-Key",
    required: false,
    description: "The same key, caller and route again is the same command: it happens once and is answered alike.",
    schema: { type: "string", minLength: 1, maxLength: 255 },
    example: "8e03978e-40d5-43dd-bc93-6894a57f9324",
  });

export const IfMatch = () =>
  ApiHeader({
    name: "If-Match",
    required: false,
    description: "Only if it is still at this version: its ETag, or * for any.",
    schema: { type: "string" },
    example: '"3"',
  });

export const ETAG = { ETag: { description: "The version, quoted.", schema: { type: "string" as const } } };
