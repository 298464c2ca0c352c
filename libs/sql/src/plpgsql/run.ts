import type { Analysis } from "../analysis.js";
import { Effects } from "../effects.js";
import { NotUnderstood } from "../parser/ast.js";
import { NOTHING, type Row, type Trace } from "../trace.js";
import type { PlpgsqlBody } from "./body.js";
import { Running } from "./running.js";
import { rowOf } from "./statements.js";
import { Variables, weight } from "./variables.js";

/** What a body gives: rows, each of which may be it, and what decides which. */
export interface Given {
  readonly returned: readonly Row[];
  readonly control: Trace;
}

/**
 * A body in PL/pgSQL, understood: what it reads is one select of the statement around, each write is one of its own.
 * @param name what arguments can be qualified with, where it is a function's.
 * @throws NotUnderstood for one that could do anything.
 */
export function runPlpgsql(
  analysis: Analysis,
  body: PlpgsqlBody,
  name: string | null = null,
  parameters: readonly string[] = [],
): Given {
  const { effects: outer, parts, stores, session, arranged, asksBounds } = analysis;
  const kept = [parts, stores, session].map((list) => [list, list.length] as const);
  const variables = new Variables(analysis, body, [...body.labels, ...(name === null ? [] : [name])], parameters);
  analysis.asksBounds = true;
  let control = NOTHING;
  try {
    for (;;) {
      for (const [list, length] of kept) list.length = length;
      const own = (analysis.effects = new Effects("sql:select"));
      const running = new Running(analysis, body, variables, control);
      const before = variables.changes;
      // What conditions leave over may be another thing once more is known of the variables.
      analysis.afresh(() => {
        running.defaults();
        running.statements([body.action]);
      });
      if (!running.whole) throw new NotUnderstood("a part of it was not looked at");
      if (body.outs !== undefined) running.returned.push(rowOf(running, body.outs));
      const decided = weight(control);
      ({ control } = running);
      if (running.goesBack && (variables.changes > before || weight(control) > decided)) continue;
      staysWithin([own, ...parts.slice(kept[0]![1])]);
      if (analysis.unsettles) throw new NotUnderstood("code that calls what may change what names mean");
      if (session.length > kept[2]![1]) throw new NotUnderstood("code that changes the session");
      for (const part of parts.slice(kept[0]![1])) part.rowLimit = null;
      if (own.tablesRead.size > 0) parts.push(own);
      else outer.calls(own);
      return running;
    }
  } finally {
    analysis.effects = outer;
    analysis.asksBounds = asksBounds;
    analysis.settles(arranged);
  }
}

/** What it calls could change what the names behind mean: by another path, or another role. */
function staysWithin(done: readonly Effects[]): void {
  for (const { extras } of done) {
    if (["sql:function_write", "sql:set", "sql:set_role"].some((action) => extras.has(action as "sql:set")))
      throw new NotUnderstood("code that calls what is not read");
  }
}
