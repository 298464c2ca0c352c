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
  /** Names in it, or in what it calls, follow the session's search_path. */
  readonly followsPath: boolean;
  readonly unsettles: boolean;
  /** What names were found to be by then. */
  readonly byPath: ReadonlyMap<string, string>;
}

/** What has been found of bodies, by what it goes by besides the catalog: as good for other statements. */
export type SharedFindings = Map<string, BodyFindings>;
/** Past it they are found anew. */
const SHARED_AT_MOST = 500;

/**
 * What a function's body does with arguments of a kind, found once a statement, and once a catalog where it can be shared:
 * bodies that call bodies, and go through themselves again where they go back, would cost exponentially.
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
  const { searchPath, role, foreign, unsettled, gone } = analysis.context;
  const key = JSON.stringify([routine.oid, kind, searchPath, role, foreign, unsettled, gone]);
  const known = kinds.get(kind) ?? (kinds.has(kind) ? null : sharedBefore(analysis, key));
  if (known === null) return null;
  if (known) {
    kinds.set(kind, known);
    analysis.step(known.parts.length + known.stores.length);
    analysis.finds(known);
    analysis.records(known.reads);
    analysis.followsPath ||= known.followsPath;
    analysis.unsettles ||= known.unsettles;
    for (const [name, found] of known.byPath) analysis.names.byPath.set(name, found);
    return known.value;
  }
  const { effects: outer, parts, stores, arranged, recursions, unsettles } = analysis;
  analysis.unsettles = false;
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
    analysis.unsettles ||= unsettles && value === null;
  }
  const found = value && {
    ...{ value, reads, effects, uses: uses.list, parts: parts.slice(partsBefore), stores: stores.slice(storesBefore) },
    arrangedBy: analysis.arrangedSince(arranged),
    followsPath: analysis.followsPath,
    unsettles: analysis.unsettles,
    byPath: new Map(analysis.names.byPath),
  };
  analysis.unsettles ||= unsettles;
  // What calls itself is another thing within itself.
  if (recursions === analysis.recursions) {
    kinds.set(kind, found);
    if (found) share(analysis, key, found);
  }
  analysis.settles(arranged);
  if (found) analysis.finds(found);
  return value;
}

/** Of bodies in which every name is known, and none is the session's own. */
function share({ context, names, shared }: Analysis, key: string, found: BodyFindings): void {
  if (!shared || names.unknown.size > 0 || context.temporary?.length) return;
  if (shared.size >= SHARED_AT_MOST) shared.clear();
  // The statement at hand goes on with the parts: they are its own.
  shared.set(key, { ...found, parts: found.parts.map((part) => part.copy()) });
}

function sharedBefore({ context, shared }: Analysis, key: string): BodyFindings | undefined {
  const found = context.temporary?.length ? undefined : shared?.get(key);
  return found && { ...found, parts: found.parts.map((part) => part.copy()) };
}

/** What a body is understood by, besides what it says. */
function kindOf({ sameArguments, takesArguments, writing }: Analysis, args: Trace, fixed: boolean): string {
  const { sources, leaks, everyRow, plain, typeOid } = args;
  const names = [...sources].map(({ schema, table, column }) => `${schema}\0${table}\0${column}`).sort();
  return JSON.stringify([fixed, sameArguments, takesArguments, writing, leaks, everyRow, plain, typeOid, names]);
}
