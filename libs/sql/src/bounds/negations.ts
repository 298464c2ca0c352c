import type { A_Expr } from "libpg-query";
import { strings } from "../parser/ast.js";

/** A comparison as it is asked: by its kind and operator, and whether it is to hold or not to. */
export interface Comparison {
  readonly kind: NonNullable<A_Expr["kind"]>;
  readonly operator: string;
  /** Where no operator says the opposite. */
  readonly denied: boolean;
}

/** The operator that holds where the other does not, nulls aside. */
const OPPOSITE = new Map(
  ["= <>", "< >=", "> <=", "~~ !~~", "~~* !~~*", "~ !~", "~* !~*"].flatMap((pair) => {
    const [one = "", other = ""] = pair.split(" ");
    return [
      [one, other],
      [other, one],
    ] as const;
  }),
);
const OPPOSITE_KIND: { readonly [K in Comparison["kind"]]?: Comparison["kind"] } = {
  AEXPR_BETWEEN: "AEXPR_NOT_BETWEEN",
  AEXPR_NOT_BETWEEN: "AEXPR_BETWEEN",
  AEXPR_BETWEEN_SYM: "AEXPR_NOT_BETWEEN_SYM",
  AEXPR_NOT_BETWEEN_SYM: "AEXPR_BETWEEN_SYM",
  AEXPR_DISTINCT: "AEXPR_NOT_DISTINCT",
  AEXPR_NOT_DISTINCT: "AEXPR_DISTINCT",
  AEXPR_OP_ANY: "AEXPR_OP_ALL",
  AEXPR_OP_ALL: "AEXPR_OP_ANY",
};
/** The operator with its sides changed over. */
const TURNED: Readonly<Record<string, string>> = {
  "=": "=",
  "<>": "<>",
  "<": ">",
  ">": "<",
  "<=": ">=",
  ">=": "<=",
  "@>": "<@",
  "<@": "@>",
  "&&": "&&",
};

export function asked(n: A_Expr): Comparison {
  const operator = strings(n.name).at(-1) ?? "";
  return { kind: n.kind ?? "AEXPR_OP", operator: operator === "!=" ? "<>" : operator, denied: false };
}

export function opposite({ kind, operator, denied }: Comparison): Comparison {
  const other = OPPOSITE.get(operator);
  // DISTINCT and BETWEEN say it by their kind, whatever their operator is called.
  if (/DISTINCT|BETWEEN/.test(kind)) return { kind: OPPOSITE_KIND[kind] ?? kind, operator, denied };
  if (other === undefined) return { kind, operator, denied: !denied };
  return { kind: OPPOSITE_KIND[kind] ?? kind, operator: other, denied };
}

/** The operator for the sides the other way round; undefined where there is none. */
export const turned = (operator: string): string | undefined => TURNED[operator];
