import { FILTER_USES, ORDER_USES } from "#commands";
import { entitiesOf, type PolicyProblem, type ReadPolicy, readDocument } from "./document.js";
import { comparedUses, namedEntities } from "./expression.js";
import { position } from "./source-text.js";
import { misplacedActions } from "./vocabulary.js";

/** What an installation has, or will have once a document is applied. */
export interface KnownNames {
  readonly resources: ReadonlySet<string>;
  readonly labels: ReadonlySet<string>;
  /** Null where anything may be one. */
  readonly groups: ReadonlySet<string> | null;
}

const USES: Readonly<Record<string, readonly string[]>> = { filter: FILTER_USES, order: ORDER_USES };

/**
 * What in a valid document can never match as things are: worth a look, and no reason to refuse it, since what is
 * missing may be declared later.
 */
export function policyDoubts(text: string, known: KnownNames): readonly PolicyProblem[] {
  return readDocument("policy", text).policies.flatMap((policy) =>
    doubtsOf(policy, known).map(({ at, message }) => ({
      ...position(text, policy.source.offset + Math.max(0, policy.source.text.indexOf(at))),
      message,
    })),
  );
}

interface Doubt {
  /** The text it is about. */
  readonly at: string;
  readonly message: string;
}

function doubtsOf(policy: ReadPolicy, known: KnownNames): readonly Doubt[] {
  const { annotations, json } = policy;
  const rowless = { at: '@max_rows("0")', message: '@max_rows("0") lets no row through, and changes none' };
  return [
    ...(annotations.maxRows === 0 ? [rowless] : []),
    ...namedEntities(json.principal, json.resource, json.conditions).flatMap(({ type, id }) =>
      unknown(type, id, known),
    ),
    ...otherActionsUses(policy),
    ...misplacedActions(json).map(({ action, message }) => ({ at: `Action::"${action}"`, message })),
  ];
}

function unknown(type: string, id: string, { resources, labels, groups }: KnownNames): readonly Doubt[] {
  const at = `${type}::"${id}"`;
  const never = "what is asked of it never matches";
  if (type === "Resource" && !resources.has(id)) return [{ at, message: `there is no resource ${id}: ${never}` }];
  if (type === "Group" && groups && !groups.has(id)) {
    return [{ at, message: `there is no issuer whose principals are in a group ${id}: ${never}` }];
  }
  if (type !== "Label" || labels.has(id)) return [];
  const family = [...labels].some((label) => label.startsWith(`${id}.`));
  return family ? [] : [{ at, message: `there is no label ${id}, nor one in a family ${id}: ${never}` }];
}

/** `filter` has uses of its own, and so has `order`. */
function otherActionsUses({ json }: ReadPolicy): readonly Doubt[] {
  const actions = entitiesOf(json.action).map(({ id }) => id);
  if (actions.length === 0 || !actions.every((action) => Object.hasOwn(USES, action))) return [];
  const possible = actions.flatMap((action) => USES[action] ?? []);
  return comparedUses(json.conditions)
    .filter((use) => !possible.includes(use))
    .map((use) => ({
      at: `"${use}"`,
      message: `context.use of ${actions.join(" or ")} is never "${use}", but one of ${possible.map((each) => `"${each}"`).join(", ")}`,
    }));
}
