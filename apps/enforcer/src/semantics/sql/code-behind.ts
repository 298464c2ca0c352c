import type { Operation } from "#commands";
import type { Catalog, Relation, RoutineFacts } from "#sql";

/**
 * What operations run that their names do not show: definitions of views, bodies of functions, and what is declared of a
 * table. Where it is the same text, they do the same.
 */
export function codeBehind(operations: readonly Operation[], catalog: Catalog): string {
  const relations = new Set<Relation>();
  const routines = new Set<RoutineFacts>();
  for (const { tablesRead, tablesWritten, functions, code } of operations) {
    for (const [schema, name] of [...tablesRead, ...tablesWritten].flatMap(partsOf)) {
      const relation = catalog.relation(schema, name);
      if (relation) relations.add(relation);
    }
    const called = [functions, code.volatile, code.userDefined, code.definer, code.unread, code.triggers].flat();
    for (const [schema, name] of called.flatMap(partsOf)) {
      for (const routine of catalog.functions(schema, name)) routines.add(routine);
    }
  }
  for (const { triggers, attached } of relations) {
    for (const { routine } of [...triggers, ...attached]) routines.add(routine);
  }
  const { everywhere, allFunctions } = catalog;
  // Code that is not read may call any other.
  const unread = operations.some(({ code }) => code.unread.length + code.triggers.length > 0) && allFunctions;
  return JSON.stringify([
    everywhere,
    unread,
    [...relations].map(ofRelation).sort(),
    [...routines].map(ofRoutine).sort(),
  ]);
}

/** Either part of a qualified name may have dots of its own. */
function partsOf(qualified: string): [schema: string, name: string][] {
  const dots = [...qualified.matchAll(/\./g)].map(({ index }) => index);
  return dots.map((dot) => [qualified.slice(0, dot), qualified.slice(dot + 1)]);
}

const ofRelation = ({ schema, name, kind, definition, declared }: Relation): string =>
  JSON.stringify([schema, name, kind, definition, declared]);

const ofRoutine = ({ schema, name, argumentCount, language, volatility, definer, digest }: RoutineFacts): string =>
  JSON.stringify([schema, name, argumentCount, language, volatility, definer, digest]);
