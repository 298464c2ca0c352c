import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Type } from "@nestjs/common";
import type { Bus } from "#bus";
import type { CallContext, modelV1 } from "#contracts";

export type Stored = Message & { readonly name: string; readonly version: bigint };

/** One kind of object that is declared as a whole, by its name: how it reads, and which calls keep it. */
export interface Kind {
  readonly one: "issuer" | "resource" | "label" | "policy";
  readonly many: "issuers" | "resources" | "labels" | "policies";
  readonly summary: string;
  readonly schema: DescMessage;
  /** What PUT takes. */
  readonly body: Type<object>;
  /** What an apply document lists: the body with its name. */
  readonly declared: Type<object & { name: string }>;
  /** What GET answers: what was declared, with its version. */
  readonly view: Type<object>;
  readonly example: object;
  readonly isName: (text: string) => boolean;
  list(bus: Bus, page: modelV1.PageRequest, call: CallContext): Promise<{ items: Stored[]; next: string }>;
  get(bus: Bus, name: string, call: CallContext): Promise<Stored>;
  /** `object` is a message of `schema`. */
  put(bus: Bus, object: Stored, precondition: Precondition, call: CallContext): Promise<Stored>;
  /** Fails as `put` would, by what the object itself says. Writes nothing. */
  check(bus: Bus, object: Stored, call: CallContext): Promise<void>;
  remove(bus: Bus, name: string, precondition: Precondition, call: CallContext): Promise<void>;
}

export type Precondition = modelV1.Precondition | undefined;

/** The precondition as a part of a request; absent where there is none. */
export const given = (precondition: Precondition) => (precondition ? { precondition } : {});
