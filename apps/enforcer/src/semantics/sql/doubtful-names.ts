import { EVERY_NAME } from "#sql";
import type { UnderstoodSql } from "./interpreter.js";

/** Those of the names that a command could mean. */
export function doubtful({ operations, byPath }: UnderstoodSql, displaced: ReadonlySet<string>): readonly string[] {
  const tables = operations.flatMap(({ tablesRead, tablesWritten }) => [...tablesRead, ...tablesWritten]);
  // Either part of a name may have dots of its own.
  const named = (name: string) =>
    tables.some((table) => table === name || table.endsWith(`.${name}`)) ||
    [...byPath.keys()].some((key) => key === name || key.endsWith(`\0${name}`));
  return [...displaced].filter((name) => name === EVERY_NAME || named(name));
}

/** What a command does whose names could mean either; its answer may show anything. */
export function eitherOf(one: UnderstoodSql, other: UnderstoodSql | null): UnderstoodSql {
  const taint = <T extends object>(columns: readonly T[]) => columns.map((column) => ({ ...column, leaks: true }));
  const uses = [...one.uses, ...(other?.uses ?? [])];
  return {
    ...one,
    operations: [...one.operations, ...(other?.operations ?? [])],
    uses: uses.map((use) => (use.action === "copy" ? { ...use, column: null } : use)),
    problems: [...one.problems, ...(other?.problems ?? [])],
    statements: one.statements.map((statement) => ({
      ...statement,
      outputs: statement.outputs && taint(statement.outputs),
      bulk: statement.bulk && taint(statement.bulk),
    })),
    effects: one.effects.map((effect) =>
      effect.kind === "declares" ? { ...effect, outputs: taint(effect.outputs) } : effect,
    ),
  };
}
