import type { Analysis, Findings } from "./analysis.js";
import type { Relation } from "./catalog.js";
import { Effects } from "./effects.js";
import { NotUnderstood } from "./parser/ast.js";
import { ROOT } from "./scope.js";
import type { Row } from "./trace.js";
import { AuthorsUses, NoUses } from "./uses.js";

/** What a view selects, and what reading it does. */
export interface View extends Findings {
  readonly row: Row;
}

/** What a relation selects that is a view, understood through its definition; null for any other, and where that fails. */
export function viewOf(analysis: Analysis, relation: Relation): View | null {
  if (relation.definition === null) return null;
  const known = analysis.views.get(relation);
  if (known !== undefined) return known;
  const [tree = null] = analysis.definition(relation, relation.definition) ?? [];
  // A view that leads back to itself finds this and is not known.
  analysis.views.set(relation, null);
  if (tree === null) return null;
  const { effects: outer, parts, stores, arranged } = analysis;
  const [partsBefore, storesBefore] = [parts.length, stores.length];
  // What is materialized has been asked when it was.
  const materialized = relation.kind === "materialized";
  const uses = materialized ? new NoUses() : new AuthorsUses(false);
  const effects = (analysis.effects = new Effects("sql:select"));
  try {
    const row = analysis.names.inView(() => analysis.using(uses, () => analysis.query(tree, ROOT)));
    const fits = row.open === null && row.columns.length === relation.columns.length;
    const view: View = {
      row,
      effects,
      parts: parts.slice(partsBefore),
      stores: stores.slice(storesBefore),
      uses: uses.list,
      arrangedBy: materialized ? [] : [...new Set(analysis.arrangedSince(arranged))],
    };
    analysis.views.set(relation, fits ? view : null);
    return fits ? view : null;
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    analysis.views.delete(relation);
    throw error;
  } finally {
    analysis.settles(arranged);
    analysis.effects = outer;
  }
}
