import type { Node } from "libpg-query";
import { as, kindOf, strings } from "./parser/ast.js";

const RELATIONS: ReadonlySet<string> = new Set(
  ["TABLE", "FOREIGN_TABLE", "VIEW", "MATVIEW", "SEQUENCE"].map((type) => `OBJECT_${type}`),
);
/** What expressions call or a name leads through. */
const CALLED: ReadonlySet<string> = new Set(
  [
    ...["SCHEMA", "FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE", "OPERATOR", "CAST", "TYPE", "DOMAIN", "EXTENSION"],
    ...["OPCLASS", "OPFAMILY"],
  ].map((type) => `OBJECT_${type}`),
);

/** Any name. */
export const EVERY_NAME = "*";
const EVERY: readonly string[] = [EVERY_NAME];
const NONE: readonly string[] = [];

/**
 * Names that may stand for something else behind a statement, until the catalog has been read again: of relations that it
 * drops, moves, or takes columns from, without their schemas; `*` where it changes what expressions call. A name that it
 * makes hides others, but with nothing in it that was not decided on as a copy.
 */
export function displacedBy(node: Node): readonly string[] {
  const drop = as("DropStmt", node);
  if (drop) {
    const type = drop.removeType ?? "";
    if (CALLED.has(type)) return EVERY;
    if (!RELATIONS.has(type)) return NONE;
    // What goes with it may be a view of any name.
    if (drop.behavior === "DROP_CASCADE") return EVERY;
    return (drop.objects ?? []).flatMap((object) => strings(as("List", object)?.items).slice(-1));
  }
  const rename = as("RenameStmt", node);
  if (rename) {
    const { renameType: type = "", relation, newname = "" } = rename;
    if (RELATIONS.has(type)) return [relation?.relname ?? EVERY_NAME, newname];
    if (type === "OBJECT_COLUMN") return [relation?.relname ?? EVERY_NAME];
    return CALLED.has(type) ? EVERY : NONE;
  }
  const move = as("AlterObjectSchemaStmt", node);
  if (move) return RELATIONS.has(move.objectType ?? "") ? [move.relation?.relname ?? EVERY_NAME] : EVERY;
  const alter = as("AlterTableStmt", node);
  if (alter) {
    const drops = (alter.cmds ?? []).flatMap((cmd) => as("AlterTableCmd", cmd) ?? []);
    const columns = drops.filter(({ subtype }) => subtype === "AT_DropColumn");
    if (columns.length === 0) return NONE;
    return columns.some(({ behavior }) => behavior === "DROP_CASCADE")
      ? EVERY
      : [alter.relation?.relname ?? EVERY_NAME];
  }
  if (as("GrantStmt", node)) return as("GrantStmt", node)!.objtype === "OBJECT_SCHEMA" ? EVERY : NONE;
  return MAKES_CALLED.has(kindOf(node)) ? EVERY : NONE;
}

const MAKES_CALLED: ReadonlySet<string> = new Set([
  ...["CreateFunctionStmt", "CreateCastStmt", "DefineStmt", "CreateExtensionStmt", "DropOwnedStmt", "GrantRoleStmt"],
]);
