import { protocols } from "#protocols";
import { Choice, Flag, Integer, Moment, Name, Nested, NestedList, Text } from "../http/fields.js";
import { PageQuery } from "../http/pages.js";
import { Roles } from "../http/views.js";

export class Listener {
  @Choice([...protocols.keys()], { description: "The protocol agents speak there.", example: "postgres" })
  protocol!: string;
  @Text({
    description: "The name or address agents dial; also in its certificate.",
    pattern: /^[A-Za-z0-9.:-]+$/,
    says: "a host name or an IP address",
    max: 253,
    example: "127.0.0.1",
  })
  host!: string;
  @Integer({ description: "The port.", min: 1, max: 65_535, example: 7432 })
  port!: number;
}

export class NewEnforcer {
  @Name({ description: "For people.", example: "edge-1" })
  name!: string;
  @Name({ description: "The group whose resources it serves.", example: "default" })
  group!: string;
  @NestedList(() => Listener, { description: "Where agents reach it.", atMost: 64 })
  listeners!: Listener[];
}

export class Enforcer extends NewEnforcer {
  @Text({ description: "Its id." })
  id!: string;
  @Moment({ description: "Last sign of life; absent if never seen.", optional: true })
  seen_at?: string;
  @Text({ description: "What it runs; empty if never seen." })
  software_version!: string;
  @Flag({ description: "Whether it may no longer join." })
  removed!: boolean;
  @Integer({ description: "Rises with every change; the ETag." })
  version!: number;
}

export class EnforcersQuery extends PageQuery {
  @Text({ description: "Only this group.", optional: true, example: "default" })
  group?: string;
}

export class RegisteredEnforcer {
  @Nested(() => Enforcer, { description: "As it is registered." })
  enforcer!: Enforcer;
  @Text({ description: "NATS credentials (`.creds`); shown this once.", max: 16_384 })
  bus_credentials!: string;
  @Text({ description: "The Ed25519 public key (SPKI PEM) that signs bundles.", max: 16_384 })
  signing_key!: string;
}

export class NewAdminKey {
  @Text({ description: "Who it is for.", min: 1, max: 100, example: "alice" })
  name!: string;
  @Roles({ description: "What it may do.", atLeast: 1, example: ["approver:dba"] })
  roles!: string[];
}

export class AdminKey extends NewAdminKey {
  @Text({ description: "Its id." })
  id!: string;
  @Moment({ description: "Since when.", optional: true })
  created_at?: string;
  @Moment({ description: "Revoked when; absent while it works.", optional: true })
  revoked_at?: string;
  @Integer({ description: "Rises with every change; the ETag." })
  version!: number;
}

export class CreatedAdminKey {
  @Nested(() => AdminKey, { description: "The key." })
  key!: AdminKey;
  @Text({ description: "The key's text (`cfk_…`); shown this once." })
  secret!: string;
}
