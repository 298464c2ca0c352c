import type { Context, Entities } from "@cedar-policy/cedar-wasm/nodejs";
import type { Operation, ResourcePart, SessionFacts } from "#commands";
import type { EntityId, Question } from "./policy-index.js";

/** What something is done to. */
interface TargetEntity {
  readonly uid: EntityId;
  readonly attrs: Record<string, string>;
  readonly parents: readonly EntityId[];
}

export const resourceEntity = ({ name, protocol }: ResourcePart): TargetEntity => ({
  uid: { type: "Resource", id: name },
  attrs: { protocol },
  parents: [],
});

/** `pii.email.work` is in `pii.email`, and that in `pii`. */
export function labelEntity(name: string): TargetEntity {
  const parts = name.split(".");
  const parents = parts
    .slice(1)
    .map((_, at) => ({ type: "Label", id: parts.slice(0, parts.length - 1 - at).join(".") }));
  return { uid: { type: "Label", id: name }, attrs: {}, parents };
}

/** What policies can look at in an operation. */
export function contextOf(operation: Operation, statementCount: number): Context {
  const { tablesRead, tablesWritten, code, rowLimit } = operation;
  return {
    tables_read: [...tablesRead],
    tables_written: [...tablesWritten],
    columns_read: [...operation.columnsRead],
    columns_written: [...operation.columnsWritten],
    targets: new Set([...tablesRead, ...tablesWritten]).size,
    functions: [...operation.functions],
    functions_volatile: [...code.volatile],
    functions_user_defined: [...code.userDefined],
    functions_definer: [...code.definer],
    functions_unread: [...code.unread],
    triggers: [...code.triggers],
    ...(rowLimit !== null && { row_limit: rowLimit }),
    bounded: operation.bounded,
    statement_count: statementCount,
  };
}

/** Whether the session may do the action to the target. `others` are what the context speaks of besides. */
export function questionOf(
  action: string,
  target: TargetEntity,
  { principal, clientAddress }: SessionFacts,
  context: Context,
  now: number,
  others: readonly TargetEntity[] = [],
): Question {
  const agent: EntityId = { type: "Agent", id: principal.id };
  const entities: Entities = [
    {
      uid: { ...agent },
      attrs: { issuer: principal.issuer, subject: principal.subject, name: principal.name },
      parents: principal.groups.map((id) => ({ type: "Group", id })),
    },
    ...[target, ...others].map(({ uid, attrs, parents }) => ({ uid, attrs, parents: [...parents] })),
  ];
  return {
    principal: agent,
    action,
    target: target.uid,
    targetParents: target.parents,
    entities,
    context: {
      ...context,
      run: principal.run,
      client_address: clientAddress,
      on_behalf_of: [...principal.onBehalfOf],
      now: Math.floor(now),
    },
  };
}
