import type { Analysis, Findings } from "./analysis.js";
import type { RoutineFacts } from "./catalog.js";
import { Effects } from "./effects.js";
import type { Trace } from "./trace.js";
import { AuthorsUses } from "./uses.js";

/** What calling a body does and gives; null where that cannot be told. */
export interface BodyFindings extends Findings {
  readonly value: Trace;
  /** Everything it looks at. */
  readonly reads: Trace;
}

/**
 * What a function's body does with arguments of a kind, found once a statement: bodies that call bodies, and go through
 * themselves again where they go back, would cost exponentially.
 * @param run understands the body; null where it cannot be told.
 */
export function findings(
  analysis: Analysis,
  routine: RoutineFacts,
  args: Trace,
  fixed: boolean,
  run: () => Trace | null,
): Trace | null {
  const kind = kindOf(analysis, args, fixed);
  let kinds = analysis.bodies.get(routine);
  if (!kinds) analysis.bodies.set(routine, (kinds = new Map()));
  const known = kinds.get(kind);
  if (known === null) return null;
  if (known) {
    analysis.step(known.parts.length + known.stores.length);
    analysis.finds(known);
    analysis.records(known.reads);
    return known.value;
  }
  const { effects: outer, parts, stores, arranged, recursions } = analysis;
  const [partsBefore, storesBefore] = [parts.length, stores.length];
  const uses = new AuthorsUses(analysis.takesArguments);
  const effects = (analysis.effects = new Effects(outer.action));
  let value: Trace | null = null;
  let reads: Trace;
  try {
    reads = analysis.allReads(() => {
      value = analysis.using(uses, run);
    });
  } finally {
    analysis.effects = outer;
  }
  const found = value && {
    ...{ value, reads, effects, uses: uses.list, parts: parts.slice(partsBefore), stores: stores.slice(storesBefore) },
    arrangedBy: analysis.arrangedSince(arranged),
  };
  // What calls itself is another thing within itself.
  if (recursions === analysis.recursions) kinds.set(kind, found);
  analysis.settles(arranged);
  if (found) analysis.finds(found);
  return value;
}

/** What a body is understood by, besides what it says. */
function kindOf({ sameArguments, takesArguments, writing }: Analysis, args: Trace, fixed: boolean): string {
  const { sources, leaks, everyRow, plain, typeOid } = args;
  const names = [...sources].map(({ schema, table, column }) => `${schema}\0${table}\0${column}`).sort();
  return JSON.stringify([fixed, sameArguments, takesArguments, writing, leaks, everyRow, plain, typeOid, names]);
}
