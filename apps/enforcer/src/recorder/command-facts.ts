import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { Parameter, Verdict } from "#commands";
import { edgeV1, modelV1 } from "#contracts";
import type { Gate } from "#protocols";
import type { Understood } from "../semantics/semantics.js";

/** A record must fit a message of the bus, whatever a client sends. */
const LONGEST_STATEMENT = 192 * 1024;
const PARAMETER_BUDGET = 192 * 1024;
const SHOWN_OF_LONG = 8 * 1024;
const MOST_PARAMETERS = 4_096;
const MOST_NAMES = 1_000;

/** Of a gate, what is recorded. */
export type SentCommand = Pick<Gate, "ordinal" | "text" | "parameters" | "functionOid">;

/** Exactly what was sent and what it does; what does not fit is cut, and says how long it was and its SHA-256. */
export function commandFacts(gate: SentCommand, understood: Understood, verdict: Verdict | null): edgeV1.CommandFacts {
  return create(edgeV1.CommandFactsSchema, {
    ordinal: BigInt(gate.ordinal),
    statement: cut(gate.functionOid === undefined ? gate.text : `function call ${gate.functionOid}`, LONGEST_STATEMENT),
    parameters: shortened(gate.parameters).map(parameterFact),
    ...objectsOf(understood),
    policies: [...(verdict?.policies ?? [])],
    policyEpoch: BigInt(verdict?.epoch ?? 0),
    labelUses: (verdict?.uses ?? []).slice(0, MOST_NAMES).map((use) => create(modelV1.LabelUseSchema, use)),
  });
}

function objectsOf({ operations }: Understood) {
  return {
    actions: unique(operations.map(({ action }) => action)),
    tablesRead: unique(operations.flatMap(({ tablesRead }) => tablesRead)),
    tablesWritten: unique(operations.flatMap(({ tablesWritten }) => tablesWritten)),
    functions: unique(operations.flatMap(({ functions }) => functions)),
  };
}

/** One text a parameter, as it is shown to who approves. */
export function shownParameters(parameters: readonly Parameter[]): string[] {
  return shortened(parameters).map((parameter) => {
    if (parameter.kind === "text") return parameter.value;
    return parameter.kind === "binary" ? `\\x${Buffer.from(parameter.value).toString("hex")}` : "NULL";
  });
}

/** Whether who approves is shown all of it: what was cut could hold anything. */
export function isShownWhole({ text, parameters }: Pick<Gate, "text" | "parameters">): boolean {
  if (cut(text, LONGEST_STATEMENT) !== text || parameters.length > MOST_PARAMETERS) return false;
  return shortened(parameters).every((shown, n) => {
    const sent = parameters[n]!;
    return shown === sent || (shown.kind === "text" && sent.kind === "text" && shown.value === sent.value);
  });
}

/** The parameters as they are recorded: themselves where they fit. */
export function shortened(parameters: readonly Parameter[]): readonly Parameter[] {
  if (allFit(parameters)) return parameters;
  let left = PARAMETER_BUDGET;
  const shown = parameters.slice(0, MOST_PARAMETERS).map((parameter) => {
    const short = shortenedTo(parameter, left < 64 ? 0 : left);
    left -= short.kind === "null" ? 0 : short.value.length;
    return short;
  });
  if (parameters.length > MOST_PARAMETERS) {
    shown.push({ kind: "text", value: `… and ${parameters.length - MOST_PARAMETERS} more parameters` });
  }
  return shown;
}

/** Three bytes a UTF-16 unit is the most there is. */
function allFit(parameters: readonly Parameter[]): boolean {
  let bytes = 0;
  for (const parameter of parameters) if (parameter.kind !== "null") bytes += parameter.value.length * 3;
  return bytes <= PARAMETER_BUDGET && parameters.length <= MOST_PARAMETERS;
}

function shortenedTo(parameter: Parameter, room: number): Parameter {
  if (parameter.kind === "null") return parameter;
  if (parameter.kind === "text") return { kind: "text", value: cut(parameter.value, Math.min(room, PARAMETER_BUDGET)) };
  if (parameter.value.length <= room) return parameter;
  return { kind: "text", value: `… (${parameter.value.length} bytes, SHA-256 ${digest(parameter.value)})` };
}

function parameterFact(parameter: Parameter): edgeV1.Parameter {
  const value =
    parameter.kind === "null"
      ? { case: "null" as const, value: true }
      : parameter.kind === "text"
        ? { case: "text" as const, value: parameter.value }
        : { case: "binary" as const, value: parameter.value };
  return create(edgeV1.ParameterSchema, { value });
}

/** By UTF-8 length; three bytes a UTF-16 unit is the most there is. What is too long is shown from both its ends. */
function cut(text: string, most: number): string {
  if (text.length * 3 <= most) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= most) return text;
  const shown = Math.min(SHOWN_OF_LONG, most >> 3);
  return `${text.slice(0, shown)}… (${bytes.length} bytes, SHA-256 ${digest(bytes)}) …${shown > 0 ? text.slice(-shown) : ""}`;
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const unique = (names: readonly string[]) => [...new Set(names)].slice(0, MOST_NAMES);
