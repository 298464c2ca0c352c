import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { Parameter, Verdict } from "#commands";
import { edgeV1 } from "#contracts";
import type { Gate } from "#protocols";
import type { Understood } from "../semantics/semantics.js";

/** A record must fit a message of the bus, whatever a client sends. */
const LONGEST_STATEMENT = 192 * 1024;
const PARAMETER_BUDGET = 192 * 1024;
const SHOWN_OF_LONG = 8 * 1024;
const MOST_PARAMETERS = 4_096;
const MOST_NAMES = 1_000;

/** Exactly what was sent and what it does; what does not fit is cut, and says how long it was and its SHA-256. */
export function commandFacts(gate: Gate, understood: Understood, verdict: Verdict | null): edgeV1.CommandFacts {
  return create(edgeV1.CommandFactsSchema, {
    ordinal: BigInt(gate.ordinal),
    statement: cut(gate.functionOid === undefined ? gate.text : `function call ${gate.functionOid}`, LONGEST_STATEMENT),
    parameters: parameterFacts(gate.parameters),
    ...objectsOf(understood),
    policies: [...(verdict?.policies ?? [])],
    policyEpoch: BigInt(verdict?.epoch ?? 0),
  });
}

type Objects = Pick<edgeV1.CommandFacts, "actions" | "tablesRead" | "tablesWritten" | "functions">;
const objects = new WeakMap<Understood, Objects>();

/** What it does and to what: the same for every run of a statement. */
function objectsOf(understood: Understood): Objects {
  let known = objects.get(understood);
  if (!known) {
    const { operations } = understood;
    known = {
      actions: unique(operations.map(({ action }) => action)),
      tablesRead: unique(operations.flatMap(({ tablesRead }) => tablesRead)),
      tablesWritten: unique(operations.flatMap(({ tablesWritten }) => tablesWritten)),
      functions: unique(operations.flatMap(({ functions }) => functions)),
    };
    objects.set(understood, known);
  }
  return known;
}

/** One text a parameter, as it is shown to who approves. */
export function shownParameters(parameters: readonly Parameter[]): string[] {
  return parameterFacts(parameters).map(({ value }) => {
    if (value.case === "text") return value.value;
    if (value.case === "binary") return `\\x${Buffer.from(value.value).toString("hex")}`;
    return "NULL";
  });
}

function parameterFacts(parameters: readonly Parameter[]): edgeV1.Parameter[] {
  let left = PARAMETER_BUDGET;
  const facts = parameters.slice(0, MOST_PARAMETERS).map((parameter) => {
    const fact = parameterFact(parameter, left < 64 ? 0 : left);
    left -= fact.value.case === "text" || fact.value.case === "binary" ? fact.value.value.length : 0;
    return fact;
  });
  if (parameters.length > MOST_PARAMETERS) {
    facts.push(textFact(`… and ${parameters.length - MOST_PARAMETERS} more parameters`));
  }
  return facts;
}

function parameterFact(parameter: Parameter, room: number): edgeV1.Parameter {
  if (parameter.kind === "null") return create(edgeV1.ParameterSchema, { value: { case: "null", value: true } });
  if (parameter.kind === "text") return textFact(cut(parameter.value, Math.min(room, PARAMETER_BUDGET)));
  if (parameter.value.length <= room)
    return create(edgeV1.ParameterSchema, { value: { case: "binary", value: parameter.value } });
  return textFact(`… (${parameter.value.length} bytes, SHA-256 ${digest(parameter.value)})`);
}

const textFact = (value: string) => create(edgeV1.ParameterSchema, { value: { case: "text", value } });

/** By UTF-8 length; three bytes a UTF-16 unit is the most there is. */
function cut(text: string, most: number): string {
  if (text.length * 3 <= most) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= most) return text;
  return `${text.slice(0, Math.min(SHOWN_OF_LONG, most >> 2))}… (${bytes.length} bytes, SHA-256 ${digest(bytes)})`;
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const unique = (names: readonly string[]) => [...new Set(names)].slice(0, MOST_NAMES);
