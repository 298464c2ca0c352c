import { type Catalog, type CatalogRows, catalogFromRows } from "#sql";

/** A database without anything in it. */
export const NOTHING_THERE: CatalogRows = {
  schemas: [],
  relations: [],
  columns: [],
  inheritance: [],
  uniques: [],
  foreignKeys: [],
  functions: [],
  domains: [],
  operators: [],
  triggers: [],
  attached: [],
  typeFunctions: [],
  references: [],
  declared: [],
  everywhere: [],
};

/** A relation of the schema public; ordinary unless `kind` (pg_class.relkind) says otherwise. */
export const relation = (
  oid: string,
  name: string,
  kind: CatalogRows["relations"][number]["kind"] = "r",
  rules = false,
): CatalogRows["relations"][number] => ({ oid, schema: "public", name, kind, type: "0", definition: null, rules });

export const catalogOf = (rows: Partial<CatalogRows>): Catalog => catalogFromRows("1", { ...NOTHING_THERE, ...rows });
