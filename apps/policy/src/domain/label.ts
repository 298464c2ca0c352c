import { checkAll, checkLabelName, checkName, checkText, invalid } from "./checks.js";
import { declaredDecider } from "./declared.js";

export interface LabelDefinition {
  readonly name: string;
  readonly description: string;
  readonly columns: readonly {
    readonly resource: string;
    readonly schema: string;
    readonly table: string;
    readonly column: string;
  }[];
  readonly transform: { readonly kind: string; readonly options: Readonly<Record<string, string>> };
}

export const labelDecider = declaredDecider("Label", checkLabel);

const MAX_COLUMNS = 10_000;

function checkLabel({ name, description, columns }: LabelDefinition): void {
  checkAll(
    () => checkLabelName("name", name),
    () => checkText("description", description, { least: 0, most: 1_000 }),
    () => checkColumns(columns),
  );
}

function checkColumns(columns: LabelDefinition["columns"]): void {
  if (columns.length > MAX_COLUMNS) throw invalid("columns", `must be at most ${MAX_COLUMNS}`);
  const seen = new Set<string>();
  checkAll(
    ...columns.map(({ resource, schema, table, column }, at) => () => {
      const field = (part: string) => `columns[${at}].${part}`;
      checkName(field("resource"), resource);
      checkText(field("schema"), schema, { least: 1, most: 63 });
      checkText(field("table"), table, { least: 1, most: 63 });
      checkText(field("column"), column, { least: 1, most: 63 });
      const key = JSON.stringify([resource, schema, table, column]);
      if (seen.has(key)) throw invalid(`columns[${at}]`, `${schema}.${table}.${column} of ${resource} is named twice`);
      seen.add(key);
    }),
  );
}
