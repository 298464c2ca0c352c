import type { Node, TypeName } from "libpg-query";
import { as, constantText, strings } from "../parser/ast.js";
import { familyOf, INTEGER_LIMITS, typeNamed } from "./types.js";

/** A constant of which the value is known: what the text spells out, under no cast that could cut it. */
export interface Constant {
  readonly kind: "null" | "boolean" | "number" | "text";
  readonly text: string;
  /** The type it is cast to, by OID; undefined where the column's own is taken. */
  readonly type: number | undefined;
}

/** Undefined where it is no constant, or one whose value cannot be read. */
export function constantOf(node: Node | undefined): Constant | undefined {
  const cast = as("TypeCast", node);
  if (cast) {
    const inner = constantOf(cast.arg);
    if (!inner || inner.kind === "null") return inner;
    const type = plainType(cast.typeName);
    return type === 0 ? undefined : { ...inner, type };
  }
  const constant = as("A_Const", node);
  if (!constant) return undefined;
  const kind = constant.isnull
    ? "null"
    : constant.boolval
      ? "boolean"
      : constant.ival || constant.fval
        ? "number"
        : "text";
  return kind === "text" && !constant.sval ? undefined : { kind, text: constantText(node) ?? "", type: undefined };
}

/** The OID of a known type of PostgreSQL's own that takes values of any length; 0 for any other. */
export function plainType(type: TypeName | undefined): number {
  const names = strings(type?.names);
  if (type?.typmods?.length || type?.arrayBounds?.length || type?.setof) return 0;
  return names.length === 1 || names[0] === "pg_catalog" ? typeNamed(names.at(-1) ?? "") : 0;
}

export const isNull = (node: Node | undefined): boolean => constantOf(node)?.kind === "null";

/** What is known of no type at all could be a small integer. */
const SMALLEST_LIMIT = 2 ** 14;
const DECIMAL = /^\s*[+-]?\d{1,18}(\.\d*)?\s*$/;

/** Whether a column of the type can have just this value: only then does it leave rows out not to have it. */
export function canBe(type: number, { kind, text, type: cast }: Constant): boolean {
  const family = familyOf(type);
  if (kind === "null") return true;
  if (cast === undefined && kind !== "number") return true;
  if (cast !== undefined && cast !== type && !(familyOf(cast) === family && family !== "time")) return false;
  switch (family) {
    case "integer":
      return isWithin(text, INTEGER_LIMITS.get(type)!);
    case "number":
      return DECIMAL.test(text);
    case "other":
      return isWithin(text, SMALLEST_LIMIT);
    default:
      return kind === "text";
  }
}

const isWithin = (text: string, limit: number) => /^\s*[+-]?\d+\s*$/.test(text) && Math.abs(Number(text)) < limit;

/** Whether a column of the type can have very many values below it, and above. */
export function isMiddling(type: number, { kind, text, type: cast }: Constant): boolean {
  const family = familyOf(type);
  if (kind === "null") return true;
  if (cast !== undefined && familyOf(cast) !== family && !isNumber(cast, type)) return false;
  switch (family) {
    case "integer":
      return DECIMAL.test(text) && Math.abs(Number(text)) < INTEGER_LIMITS.get(type)! / 2;
    case "number":
      return DECIMAL.test(text);
    case "other":
      return kind === "number" && isWithin(text, SMALLEST_LIMIT);
    case "time":
      return isFiniteTime(text);
    case "interval":
      return isFiniteTime(text);
    case "text":
      return kind === "text" && /[\p{L}\p{N}]/u.test(text);
    case "uuid":
      return /[1-9a-e]/i.test(text);
    default:
      return false;
  }
}

const NUMBERS: ReadonlySet<string> = new Set(["integer", "number"]);
const isNumber = (...types: readonly number[]) => types.every((type) => NUMBERS.has(familyOf(type)));

/** No infinity, no year of more than four digits, none before our era. */
const isFiniteTime = (text: string) =>
  (/\d/.test(text) && !/inf|bc|\d{5,}-/i.test(text)) || /^\s*(today|tomorrow|yesterday|now|epoch)\s*$/i.test(text);

/** The elements of an array written out, in either form; undefined where they cannot be read. */
export function elementsOf(node: Node | undefined): readonly Constant[] | undefined {
  const cast = as("TypeCast", node);
  const named = strings(cast?.typeName?.names);
  const type = cast && (cast.typeName?.typmods?.length ? 0 : typeNamed(named.at(-1) ?? ""));
  if (cast && type === 0) return undefined;
  const bare = cast?.arg ?? node;
  const elements = as("A_ArrayExpr", bare)?.elements?.map(constantOf);
  const text = as("A_Const", bare)?.sval?.sval;
  const listed = elements ?? (text === undefined ? undefined : listedIn(text));
  if (!listed?.every((element) => element !== undefined)) return undefined;
  return listed.map((element) => ({ ...element, type: type ?? element.type }));
}

/** `{a,b}`, without quotes or arrays in it. */
function listedIn(text: string): Constant[] | undefined {
  const inner = /^\s*\{([^{}"\\]*)\}\s*$/.exec(text)?.[1];
  if (inner === undefined) return undefined;
  const texts = inner.trim() === "" ? [] : inner.split(",").map((each) => each.trim());
  return texts.map((each) => ({ kind: /^null$/i.test(each) ? "null" : "text", text: each, type: undefined }));
}
