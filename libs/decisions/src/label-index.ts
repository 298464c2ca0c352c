import { ANYWHERE, type ColumnRef, type ColumnUse, type Copy, type LabelPart } from "#commands";
import { Interner } from "./interner.js";

/** A use of a label's values that policy is asked about. */
export interface LabelQuestion {
  readonly label: string;
  readonly use: ColumnUse;
  /** `schema.table`, or `*` where it could be any. */
  readonly table: string;
  /** `schema.table.column`, or `*`. */
  readonly column: string;
  /** How, or where to: what the use is besides its action and its column. */
  readonly kind: string;
  /** Of a copy: the label is on the target, and what goes there is computed. */
  readonly computed: boolean;
}

/** What a command asks of labels. Equal questions have the same number. */
export interface LabelQuestions {
  readonly number: number;
  readonly each: readonly LabelQuestion[];
}

const REMEMBERED = 10_000;

/** The labels of one resource, by column. */
export class LabelIndex {
  /** Those that name a column of the resource. */
  readonly labels: readonly LabelPart[];
  readonly #byTable = new Map<string, Map<string, LabelPart[]>>();
  readonly #questions = new WeakMap<readonly ColumnUse[], LabelQuestions>();
  readonly #numbers = new Interner<readonly LabelQuestion[]>(REMEMBERED, (questions) => JSON.stringify(questions));

  constructor(labels: readonly LabelPart[], resource: string) {
    this.labels = labels.filter(({ columns }) => columns.some((column) => column.resource === resource));
    for (const label of this.labels) {
      for (const { resource: of, schema, table, column } of label.columns) {
        if (of === resource) this.#add(tableText({ schema: schema || "public", table }), column, label);
      }
    }
  }

  /** The same answer for the same uses, which are recognised by identity: they must not be changed later. */
  questions(uses: readonly ColumnUse[]): LabelQuestions {
    let known = this.#questions.get(uses);
    if (!known) {
      const each = this.#ask(uses);
      known = { number: each.length === 0 ? 0 : this.#numbers.number(each), each };
      this.#questions.set(uses, known);
    }
    return known;
  }

  #ask(uses: readonly ColumnUse[]): readonly LabelQuestion[] {
    const found = new Map<string, LabelQuestion>();
    for (const use of uses) {
      const kind = use.action === "copy" ? use.target : use.use;
      const table = use.column ? tableText(use.column) : ANYWHERE;
      const column = use.column ? `${table}.${use.column.column}` : ANYWHERE;
      for (const label of this.#asked(use)) {
        const key = JSON.stringify([use.action, kind, column, label.name]);
        const computed = use.action === "copy" && this.#covering(use).has(label);
        if (!found.has(key)) found.set(key, { label: label.name, use, table, column, kind, computed });
      }
    }
    return [...found.values()];
  }

  #asked(use: ColumnUse): readonly LabelPart[] {
    const carried = use.column ? this.#of(use.column) : this.labels;
    if (use.action === "copy") {
      const covering = this.#covering(use);
      // What a mask shows of any text, a text made of the value could carry out piece by piece; and so could the room it takes.
      return use.direct ? carried.filter((label) => !covering.has(label)) : carried;
    }
    // Whether there is a value is what every mask shows, but the one that makes NULL of all.
    return use.use === "presence" ? carried.filter(({ transform }) => transform.kind === "null") : carried;
  }

  #covering({ into }: Copy): ReadonlySet<LabelPart> {
    return new Set(into.flatMap((column) => this.#of(column)));
  }

  #of(ref: ColumnRef): readonly LabelPart[] {
    const columns = this.#byTable.get(tableText(ref));
    if (!columns) return [];
    return ref.column === "*" ? [...new Set([...columns.values()].flat())] : (columns.get(ref.column) ?? []);
  }

  #add(table: string, column: string, label: LabelPart): void {
    const columns = this.#byTable.get(table) ?? new Map<string, LabelPart[]>();
    this.#byTable.set(table, columns);
    const labels = columns.get(column) ?? [];
    if (!labels.includes(label)) columns.set(column, [...labels, label]);
  }
}

const tableText = ({ schema, table }: Pick<ColumnRef, "schema" | "table">): string => `${schema}.${table}`;
