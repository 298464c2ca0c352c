/** What several answers are made of. */
import { Text, Texts } from "./fields.js";

/** The group is what a policy's `@approval("…")` can name. */
const ROLE = /^(admin|auditor|approver(:\S([ \S]{0,126}\S)?)?)$/;
/** A field of roles; more about them is in the description of `key` in the OpenAPI document. */
export const Roles = (options: { description: string; atLeast?: number; example?: string[] }) =>
  Texts({
    ...options,
    ...{ pattern: ROLE, says: "admin, approver, approver:<group> or auditor", max: 137, atMost: 50 },
  });

export class Principal {
  @Text({ description: "`<issuer name>|<subject>`: unique across issuers.", example: "github|repo:acme/shop" })
  id!: string;
  @Text({ description: "The issuer's name.", example: "github" })
  issuer!: string;
  @Text({ description: "What its issuer calls it.", example: "repo:acme/shop" })
  subject!: string;
  @Text({ description: "For people.", example: "acme/shop CI" })
  name!: string;
  @Texts({ description: "Its groups.", example: ["ci"] })
  groups!: string[];
  @Text({ description: "The run it belongs to; empty where the issuer names none.", example: "17" })
  run!: string;
  @Texts({ description: "Those it acts for, nearest first." })
  on_behalf_of!: string[];
}

export class ActorView {
  @Text({ description: "The key's id." })
  id!: string;
  @Text({ description: "The key's name.", example: "alice" })
  name!: string;
  @Roles({ description: "What it may do." })
  roles!: string[];
}
