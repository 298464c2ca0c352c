/** Messages of the bus as JSON of the REST API, and back: driven by the descriptors, so no field can be forgotten. */
import {
  create,
  type DescField,
  type DescMessage,
  isMessage,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

export type Json = string | number | boolean | Json[] | { [key: string]: Json };
type Fields = Record<string, unknown>;

/**
 * snake_case names; enums as lower-case words; times in RFC 3339; bytes in hex; 64-bit numbers as numbers. Unset
 * messages, times and enums are absent; everything else is always there.
 */
export function represent(schema: DescMessage, message: Message): { [key: string]: Json } {
  const view: { [key: string]: Json } = {};
  for (const field of schema.fields) {
    const value = (message as unknown as Fields)[field.localName];
    if (value === undefined || (field.fieldKind === "enum" && value === 0)) continue;
    view[field.name] = valueOut(field, value);
  }
  return view;
}

function valueOut(field: DescField, value: unknown): Json {
  if (field.fieldKind === "list") return (value as unknown[]).map((item) => single(field, item));
  if (field.fieldKind === "map") return { ...(value as { [key: string]: Json }) };
  return single(field, value);
}

function single(field: DescField, value: unknown): Json {
  if (field.message) {
    if (field.message.typeName === "google.protobuf.Timestamp") return timestampDate(value as Timestamp).toISOString();
    return represent(field.message, value as Message);
  }
  if (field.enum) return word(field.enum.value[value as number]?.name ?? String(value));
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return value as Json;
}

/** The message that `view` describes; fields the view leaves out keep their defaults. */
export function parse<Schema extends DescMessage>(schema: Schema, view: object): MessageShape<Schema> {
  return create(schema, fieldsIn(schema, view as Fields) as never);
}

function fieldsIn(schema: DescMessage, view: Fields): Fields {
  const init: Fields = {};
  for (const field of schema.fields) {
    const value = view[field.name];
    if (value === undefined) continue;
    init[field.localName] = valueIn(field, value);
  }
  return init;
}

function valueIn(field: DescField, value: unknown): unknown {
  if (field.fieldKind === "list" && field.message) {
    const item = field.message;
    return (value as Fields[]).map((fields) => fieldsIn(item, fields));
  }
  if (field.fieldKind === "message") return isMessage(value) ? value : fieldsIn(field.message, value as Fields);
  if (field.fieldKind === "enum") return enumNumber(field, value as string);
  return value;
}

/** The number of an enum's word: `verify-full` is VERIFY_FULL. */
function enumNumber(field: DescField & { fieldKind: "enum" }, text: string): number {
  const found = field.enum.values.find((candidate) => word(candidate.name) === text);
  if (!found) throw new Error(`${field.parent.typeName}.${field.name} has no value ${text}`);
  return found.number;
}

const word = (name: string) => name.toLowerCase().replaceAll("_", "-");
