export type {
  Catalog,
  Relation,
  RelationColumn,
  RelationKind,
  RoutineFacts,
  SqlContext,
} from "./catalog.js";
export { catalogFromRows, EMPTY_CATALOG } from "./catalog-loader.js";
export {
  CATALOG_QUERIES,
  type CatalogRows,
  joinOwn,
  OWN_STATE_QUERY,
  type OwnRows,
  QUERIES_WITHOUT_OWN,
  SESSION_QUERY,
  STATE_QUERY,
  splitOwn,
} from "./catalog-queries.js";
export { EVERY_NAME } from "./displaced.js";
export { noSuchStatement, OTHER_TABLES, SEVERAL_IN_ONE } from "./native-errors.js";
export { type FreshSession, freshSession, parseSearchPath, type SessionRow } from "./search-path.js";
export { createUnderstander, type Understander, type UnderstanderOptions } from "./understander.js";
export type {
  SessionEffect,
  StatementFacts,
  TracedColumn,
  Understanding,
} from "./understanding.js";
