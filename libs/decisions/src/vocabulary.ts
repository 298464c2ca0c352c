import type { DetailedError, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { engine } from "./cedar.js";
import { entitiesOf } from "./document.js";
import { resourceTypeIn } from "./expression.js";
import { nearest } from "./nearest.js";
import { actionNames, CEDAR_SCHEMA, isAction, isOnlyGroup, LABEL_ACTIONS } from "./schema.js";

/** What may be named at which place of a policy, and so what can have been meant by a name that may not. */

/** "did you mean …" or "known here: …", of names that are valid where the error is; "" where it is about no name. */
export function helpWithName({ message }: DetailedError, json: PolicyJson): string {
  for (const [pattern, validFor] of NAMES) {
    const [, name, of] = pattern.exec(message) ?? [];
    if (name !== undefined) return help(name, validFor(json, name, of ?? ""));
  }
  return "";
}

/** More are a list nobody reads. */
const MOST_LISTED = 20;

function help(name: string, { valid, shown }: Valid): string {
  const near = nearest(name, valid).map(shown);
  if (near.length > 0) return `did you mean ${near.join(" or ")}?`;
  return valid.length > 0 && valid.length <= MOST_LISTED ? `known here: ${valid.join(", ")}` : "";
}

interface Valid {
  readonly valid: readonly string[];
  /** How one is written. */
  readonly shown: (name: string) => string;
}

const quoted = (name: string) => `\`${name}\``;
const asAction = (name: string) => quoted(`Action::"${name}"`);

/** Cedar's messages about a name, with what may be in its place. */
const NAMES: readonly (readonly [RegExp, (json: PolicyJson, name: string, of: string) => Valid])[] = [
  [/unrecognized action `Action::"([^"]*)"`/, (json) => ({ valid: actionsFor(json), shown: asAction })],
  [/unrecognized entity type `([^`]*)`/, (json, name) => ({ valid: typesFor(json, name), shown: quoted })],
  [
    /attribute `([^`]*)` in context for Action::"([^"]*)" not found/,
    (_, __, action) => ({ valid: contextOf(action), shown: quoted }),
  ],
  [
    /attribute `([^`]*)` on entity type `([^`]*)` not found/,
    (_, __, type) => ({ valid: attributesOf(type), shown: quoted }),
  ],
];

/** `==` takes no group of actions; and what is done to a label is not done to a resource. */
function actionsFor({ action, resource }: PolicyJson): readonly string[] {
  const type = typeOf(resource);
  return actionNames
    .filter((name) => action.op !== "==" || !isOnlyGroup(name))
    .filter((name) => type === null || (type === "Label") === LABEL_ACTIONS.has(name));
}

function typesFor(json: PolicyJson, name: string): readonly string[] {
  const place = placeOf(json.principal, name);
  if (place !== null) return place === "holder" ? ["Group"] : ["Agent"];
  if (placeOf(json.resource, name) !== null) return resourceTypes(json);
  return ["Agent", "Group", "Resource", "Label"];
}

/** What the policy's actions are done to. */
function resourceTypes(json: PolicyJson): readonly string[] {
  const types = new Set(actionsOf(json).map(targetOf));
  return types.size === 0 ? ["Resource", "Label"] : [...types];
}

const targetOf = (action: string): string => (LABEL_ACTIONS.has(action) ? "Label" : "Resource");
const actionsOf = ({ action }: PolicyJson): readonly string[] => entitiesOf(action).map(({ id }) => id);

/**
 * Actions that are never done to what the policy's scope names, with where they belong; of several actions one may be
 * right. Empty where nothing is out of place.
 */
export function misplacedActions(json: PolicyJson): readonly { readonly action: string; readonly message: string }[] {
  const type = typeOf(json.resource) ?? (json.resource.op === "All" ? resourceTypeIn(json.conditions) : null);
  if (type !== "Resource" && type !== "Label") return [];
  const { id = "…" } = entitiesOf(json.resource)[0] ?? {};
  return actionsOf(json)
    .filter((action) => isAction(action) && targetOf(action) !== type)
    .map((action) => ({
      action,
      message:
        type === "Resource"
          ? `Action::"${action}" is done to a Label, not to a Resource: write resource == Label::"…" (or in), and ` +
            `when { context.resource == Resource::"${id}" } to limit it to one resource`
          : `Action::"${action}" is done to a Resource, not to a Label: write resource == Resource::"…"; ` +
            `what is done to a Label is ${[...LABEL_ACTIONS].join(", ")}`,
    }));
}

/** Whether nothing the policy names can be done to what it names. */
export const allMisplaced = (json: PolicyJson): boolean => {
  const { length } = misplacedActions(json);
  return length > 0 && length === actionsOf(json).length;
};

/** Of the entity or type that a scope constraint asks for. */
function typeOf(constraint: object): string | null {
  const { entity_type: type } = constraint as { entity_type?: string };
  return type ?? entitiesOf(constraint)[0]?.type ?? null;
}

/** Whether a scope constraint names the type: as what something is, or as what holds it. */
function placeOf(constraint: object, type: string): "itself" | "holder" | null {
  const { op, entity_type: is, in: holder } = constraint as { op: string; entity_type?: string; in?: object };
  const named = (given: object) => entitiesOf(given).some((entity) => entity.type === type);
  if (is === type) return "itself";
  if (holder && named(holder)) return "holder";
  if (!named(constraint)) return null;
  return op === "in" ? "holder" : "itself";
}

interface Shape {
  readonly attributes?: Readonly<Record<string, unknown>>;
}
interface SchemaJson {
  readonly commonTypes: Readonly<Record<string, Shape>>;
  readonly entityTypes: Readonly<Record<string, { readonly shape?: Shape }>>;
  readonly actions: Readonly<Record<string, { readonly appliesTo?: { readonly context?: { readonly type: string } } }>>;
}

let read: SchemaJson | null = null;

function schema(): SchemaJson {
  if (read) return read;
  const answer = engine.run((cedar) => cedar.schemaToJson(CEDAR_SCHEMA));
  if (answer.type !== "success") throw new Error("the schema of the policies cannot be read");
  read = (answer.json as unknown as Record<string, SchemaJson>)[""]!;
  return read;
}

const attributesIn = (shape: Shape | undefined): readonly string[] => Object.keys(shape?.attributes ?? {});

function contextOf(action: string): readonly string[] {
  const { actions, commonTypes } = schema();
  return attributesIn(commonTypes[actions[action]?.appliesTo?.context?.type ?? ""]);
}

const attributesOf = (type: string): readonly string[] => attributesIn(schema().entityTypes[type]?.shape);
