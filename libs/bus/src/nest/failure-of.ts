import { create } from "@bufbuild/protobuf";
import { busV1 } from "#contracts";

interface Told {
  readonly code?: string;
  readonly details?: Record<string, string>;
}

/**
 * What a caller is told of an error, or null where it is nobody's business but ours. Errors are known by name, not by
 * class: the bus imports none of the libs that throw them.
 */
export function failureOf(error: unknown): busV1.Failure | null {
  if (!(error instanceof Error)) return null;
  const { message } = error;
  const { code = "", details = {} } = error as Told;
  const failure = (told: string) => create(busV1.FailureSchema, { code: told, message, details });
  switch (error.name) {
    case "Refused":
    case "BusFailure":
      return code === "internal" ? null : failure(code);
    case "VersionConflict":
      return failure("version_conflict");
    case "CommandIdReused":
      return create(busV1.FailureSchema, { code: "conflict", message, details: { reason: "command_id_reused" } });
    case "BusUnavailable":
      return failure("unavailable");
    default:
      return null;
  }
}
