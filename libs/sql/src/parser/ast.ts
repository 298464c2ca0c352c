import type { Node, ParseResult } from "libpg-query";

type KeysOf<T> = T extends unknown ? keyof T : never;

/** A node's type name, such as `SelectStmt`. */
export type NodeKind = KeysOf<Node> & string;
export type NodeFields<K extends NodeKind> = Extract<Node, Record<K, unknown>>[K &
  keyof Extract<Node, Record<K, unknown>>];

/** The tree as the parser gives it: a node is an object with one key, its kind; absent fields are zero, false or empty. */
export type Tree = ParseResult;

/** What the parser did not say, or what nothing here knows how to read: the statement is not understood. */
export class NotUnderstood extends Error {}

export function kindOf(node: Node): NodeKind {
  for (const kind in node) return kind as NodeKind;
  throw new NotUnderstood("the parser gave an empty node");
}

/** The node's fields if it is of that kind. */
export function as<K extends NodeKind>(kind: K, node: Node | undefined): NodeFields<K> | undefined {
  return node === undefined ? undefined : (node as unknown as Record<string, NodeFields<K>>)[kind];
}

/** The node's fields; it must be of that kind. */
export function must<K extends NodeKind>(kind: K, node: Node | undefined): NodeFields<K> {
  const fields = as(kind, node);
  if (fields === undefined) throw new NotUnderstood(`${node ? kindOf(node) : "nothing"} where ${kind} was expected`);
  return fields as NodeFields<K>;
}

/** The rule of a table for a node's kind, ready to be called with its fields; undefined where the table has none. */
export function ruleFor<R>(table: { readonly [K in NodeKind]?: unknown }, node: Node) {
  const kind = kindOf(node);
  const rule = table[kind] as R | undefined;
  return rule && { rule, fields: (node as unknown as Record<string, never>)[kind]! };
}

/** The texts of a list of String nodes, such as a qualified name; `*` and others are left out. */
export function strings(nodes: readonly Node[] | undefined): string[] {
  return (nodes ?? []).flatMap((node) => as("String", node)?.sval ?? []);
}

/** The text of a constant as SET and set_config take it; undefined where it is not a plain constant. */
export function constantText(node: Node | undefined): string | undefined {
  const constant = as("A_Const", node);
  if (constant === undefined) {
    const cast = as("TypeCast", node);
    return cast ? constantText(cast.arg) : undefined;
  }
  if (constant.sval) return constant.sval.sval ?? "";
  if (constant.ival) return String(constant.ival.ival ?? 0);
  if (constant.fval) return constant.fval.fval ?? "";
  if (constant.boolval) return String(constant.boolval.boolval ?? false);
  return undefined;
}

/** Calls `visit` with every node beneath, itself first, in no promised order. */
export function everyNode(value: unknown, visit: (kind: NodeKind, fields: object) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) everyNode(item, visit);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (typeof child !== "object" || child === null) continue;
    if (isKind(key) && !Array.isArray(child)) visit(key, child);
    everyNode(child, visit);
  }
}

/** Fields that say where something stands in the text, which means nothing. */
export const isPlace = (field: string): boolean => /location$|^stmt_len$|list_(start|end)$/.test(field);

/** Kinds begin with a capital, fields do not. */
export const isKind = (key: string): key is NodeKind => key.charCodeAt(0) >= 65 && key.charCodeAt(0) <= 90;
