import type { SemanticsName } from "#protocols";
import type { Semantics, SemanticsParts } from "./semantics.js";
import { SqlSemantics } from "./sql/sql-semantics.js";

/** Every kind of commands an enforcer understands, by the name protocols call it. */
const KINDS: Readonly<Record<SemanticsName, (parts: SemanticsParts) => Semantics>> = {
  postgresql: (parts) => new SqlSemantics(parts),
};

export type AllSemantics = ReadonlyMap<SemanticsName, Semantics>;

export function createSemantics(parts: SemanticsParts): AllSemantics {
  return new Map(Object.entries(KINDS).map(([name, create]) => [name as SemanticsName, create(parts)]));
}
