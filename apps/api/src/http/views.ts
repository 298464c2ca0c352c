/** What several answers are made of. */
import { Choices, Text, Texts } from "./fields.js";

export const ROLES = ["admin", "approver", "auditor"];

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
  @Choices(ROLES, { description: "What it may do." })
  roles!: string[];
}
