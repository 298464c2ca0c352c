import type { LabelPart } from "#commands";
import type { Catalog, Relation } from "#sql";

/** A catalog for a statement when the resource's own is out of reach, and what it had to suppose. */
export interface StandIn {
  readonly catalog: Catalog;
  /** Tables that were taken to exist, `schema.table`, in the order they were asked for. */
  readonly supposed: () => readonly string[];
}

const SYSTEM_SCHEMAS = ["pg_catalog", "information_schema", "pg_toast"];
const TEXT_OID = 25;
const MAX_COLUMNS = 500;

let made = 0;

/**
 * Takes every table a statement names to exist, with the columns that are labelled and whatever else the statement
 * could mean by its words.
 * @param system PostgreSQL's own relations and functions.
 */
export function standInCatalog(
  statement: string,
  resource: string,
  labels: readonly LabelPart[],
  system: Catalog,
): StandIn {
  const labelled = labels.flatMap(({ columns }) => columns).filter((column) => column.resource === resource);
  const words = namesIn(statement);
  const relations = new Map<string, Relation>();

  const relation = (schema: string, name: string): Relation | undefined => {
    const own = system.relation(schema, name);
    if (own || SYSTEM_SCHEMAS.includes(schema)) return own;
    const key = `${schema}.${name}`;
    let found = relations.get(key);
    if (!found) {
      const columns = labelled.filter((column) => column.schema === schema && column.table === name);
      found = tableOf(schema, name, relations.size + 1, [
        ...new Set([...columns.map(({ column }) => column), ...words]),
      ]);
      relations.set(key, found);
    }
    return found;
  };
  made += 1;
  return {
    catalog: { ...system, version: `stand-in ${made}`, relation },
    supposed: () => [...relations.keys()],
  };
}

/** Every identifier the text could hold: bare ones fold to lower case, quoted ones stay. */
function namesIn(statement: string): readonly string[] {
  const names = new Set<string>();
  for (const [, quoted, bare] of statement.matchAll(/"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*)/gu)) {
    names.add(quoted !== undefined ? quoted.replaceAll('""', '"') : bare!.toLowerCase());
    if (names.size >= MAX_COLUMNS) break;
  }
  return [...names];
}

/** Its OIDs are above those PostgreSQL gives. */
const tableOf = (schema: string, name: string, number: number, columns: readonly string[]): Relation => ({
  oid: 2 ** 32 + number,
  schema,
  name,
  kind: "table",
  definition: null,
  declared: "",
  rules: false,
  family: [],
  triggers: [],
  attached: [],
  referencedBy: [],
  ancestors: [],
  columns: columns.map((column, at) => ({
    attnum: at + 1,
    name: column,
    typeOid: TEXT_OID,
    notNull: false,
    generatedFrom: null,
    ref: { schema, table: name, column },
  })),
});
