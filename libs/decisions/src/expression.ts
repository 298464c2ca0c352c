/** Questions about a policy's conditions, asked of Cedar's JSON form of them (Cedar's "JSON policy format"). */

/** Whether the verdict can change with time alone. A context used whole counts, since it holds the time. */
export function asksTime(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(asksTime);
  if (!isRecord(node)) return false;
  if (typeof node.Var === "string") return node.Var === "context";
  const access = node["."] ?? node.has;
  if (isRecord(access) && isContext(access.left)) return [access.attr].flat().includes("now");
  return Object.values(node).some(asksTime);
}

/** How many parts a name in these sets has at least. */
const PARTS: Readonly<Record<string, { readonly least: number; readonly form: string }>> = {
  tables_read: { least: 2, form: "schema.table" },
  tables_written: { least: 2, form: "schema.table" },
  columns_read: { least: 3, form: "schema.table.column" },
  columns_written: { least: 3, form: "schema.table.column" },
};

/**
 * Names asked of the context's tables and columns that can never be in there, because they are not qualified: a forbid
 * on `orders` would guard nothing.
 */
export function unqualifiedNames(node: unknown): readonly { readonly name: string; readonly message: string }[] {
  if (Array.isArray(node)) return node.flatMap(unqualifiedNames);
  if (!isRecord(node)) return [];
  const asked = node.contains ?? node.containsAny ?? node.containsAll;
  if (isRecord(asked) && isRecord(asked.left)) {
    const access = asked.left["."];
    const set = isRecord(access) && isContext(access.left) ? String(access.attr) : "";
    const rule = Object.hasOwn(PARTS, set) ? PARTS[set] : undefined;
    if (rule) {
      return literals(asked.right)
        .filter((name) => name.split(".").length < rule.least)
        .map((name) => ({ name, message: `context.${set} holds names like "${rule.form}", never "${name}"` }));
    }
  }
  return Object.values(node).flatMap(unqualifiedNames);
}

function literals(node: unknown): readonly string[] {
  if (Array.isArray(node)) return node.flatMap(literals);
  if (!isRecord(node)) return [];
  return typeof node.Value === "string" ? [node.Value] : literals(node.Set);
}

const isContext = (node: unknown): boolean => isRecord(node) && node.Var === "context";
const isRecord = (node: unknown): node is Record<string, unknown> =>
  typeof node === "object" && node !== null && !Array.isArray(node);
