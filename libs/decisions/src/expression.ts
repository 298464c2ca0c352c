import { ANYWHERE, FILTER_USES, ORDER_USES } from "#commands";

/** Questions about a policy's conditions, asked of Cedar's JSON form of them (Cedar's "JSON policy format"). */

/** What conditions can look at besides who acts, how and on what. */
export interface Asked {
  /** Attributes of the context; null where it is used whole: then all of them. */
  readonly context: ReadonlySet<string> | null;
  /** Whether attributes of entities are looked at. */
  readonly attributes: boolean;
}

/** What any of these can look at. Never less: what is not recognised as one attribute of the context counts as all. */
export function askedBy(conditions: readonly unknown[]): Asked {
  const context = new Set<string>();
  let whole = false;
  let attributes = false;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (!isRecord(node)) return;
    if (node.Var === "context") whole = true;
    const access = node["."] ?? node.has;
    if (isRecord(access) && isContext(access.left)) {
      // `context has resource.protocol`: behind the first name it is an entity's, or a record's.
      const [attribute, ...further] = [access.attr].flat();
      context.add(String(attribute));
      attributes ||= further.length > 0;
      return;
    }
    attributes ||= ACCESS.some((operator) => Object.hasOwn(node, operator));
    Object.values(node).forEach(visit);
  };
  conditions.forEach(visit);
  return { context: whole ? null : context, attributes };
}

/** Whether the verdict can change with time alone. */
export const asksTime = ({ context }: Asked): boolean => context === null || context.has("now");

const ACCESS = [".", "has", "getTag", "hasTag"];

interface Rule {
  /** Whether the context's attribute could be, or hold, that text. */
  readonly fits: (text: string) => boolean;
  /** After "context.x": what it is, or holds. */
  readonly form: string;
}

const parts = (least: number, text: string): boolean => text.split(".").length >= least;
const holds = (least: number, form: string): Rule => ({
  fits: (text) => parts(least, text),
  form: `holds names like "${form}"`,
});
const USES: readonly string[] = [...FILTER_USES, ...ORDER_USES];

const RULES: Readonly<Record<string, Rule>> = {
  tables_read: holds(2, "schema.table"),
  tables_written: holds(2, "schema.table"),
  columns_read: holds(3, "schema.table.column"),
  columns_written: holds(3, "schema.table.column"),
  table: { fits: (text) => text === ANYWHERE || parts(2, text), form: 'is a name like "schema.table"' },
  column: { fits: (text) => text === ANYWHERE || parts(3, text), form: 'is a name like "schema.table.column"' },
  target: {
    fits: (text) => [ANYWHERE, "file", "program"].includes(text) || text.endsWith("()") || parts(3, text),
    form: 'is a name like "schema.table.column", a function like "name()", "file", "program" or "*"',
  },
  use: { fits: (text) => USES.includes(text), form: `is one of ${USES.map((use) => `"${use}"`).join(", ")}` },
};

/**
 * Texts compared with the context's names that can never be these, because they are not qualified or misspelt: a forbid
 * on `orders` would guard nothing.
 */
export function impossibleNames(node: unknown): readonly { readonly name: string; readonly message: string }[] {
  return comparisons(node).flatMap(({ attribute, text }) => {
    const rule = Object.hasOwn(RULES, attribute) ? RULES[attribute] : undefined;
    if (!rule || rule.fits(text)) return [];
    return [{ name: text, message: `context.${attribute} ${rule.form}, never "${text}"` }];
  });
}

/** What `context.use` is compared with. */
export const comparedUses = (node: unknown): readonly string[] =>
  comparisons(node).flatMap(({ attribute, text }) => (attribute === "use" ? [text] : []));

/** The entities that scope constraints and conditions name, each once. */
export function namedEntities(...nodes: readonly unknown[]): readonly { readonly type: string; readonly id: string }[] {
  const found = new Map<string, { readonly type: string; readonly id: string }>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (!isRecord(node)) return;
    const { type, id } = node;
    if (typeof type === "string" && typeof id === "string") found.set(`${type} ${id}`, { type, id });
    Object.values(node).forEach(visit);
  };
  nodes.forEach(visit);
  return [...found.values()];
}

/** The type of the entities that `resource` is compared with in the conditions; null where it is not one. */
export function resourceTypeIn(conditions: readonly unknown[]): string | null {
  const types = new Set<unknown>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (!isRecord(node)) return;
    const compared = node["=="] ?? node.in;
    if (isRecord(compared) && isRecord(compared.left) && compared.left.Var === "resource") {
      for (const { type } of namedEntities(compared.right)) types.add(type);
    }
    Object.values(node).forEach(visit);
  };
  conditions.forEach(visit);
  const [type] = types;
  return types.size === 1 && typeof type === "string" ? type : null;
}

/** The texts that an attribute of the context is compared with, wherever in the condition. */
function comparisons(node: unknown): readonly { readonly attribute: string; readonly text: string }[] {
  if (Array.isArray(node)) return node.flatMap(comparisons);
  if (!isRecord(node)) return [];
  const found = Object.values(node).flatMap(comparisons);
  for (const operator of ["==", "contains", "containsAny", "containsAll"]) {
    const asked = node[operator];
    if (!isRecord(asked)) continue;
    for (const [one, other] of [
      [asked.left, asked.right],
      [asked.right, asked.left],
    ]) {
      const access = isRecord(one) ? one["."] : undefined;
      if (!isRecord(access) || !isContext(access.left)) continue;
      for (const text of literals(other)) found.push({ attribute: String(access.attr), text });
    }
  }
  return found;
}

function literals(node: unknown): readonly string[] {
  if (Array.isArray(node)) return node.flatMap(literals);
  if (!isRecord(node)) return [];
  return typeof node.Value === "string" ? [node.Value] : literals(node.Set);
}

const isContext = (node: unknown): boolean => isRecord(node) && node.Var === "context";
const isRecord = (node: unknown): node is Record<string, unknown> =>
  typeof node === "object" && node !== null && !Array.isArray(node);
