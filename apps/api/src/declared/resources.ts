import { create } from "@bufbuild/protobuf";
import { TARGET_SESSION_ATTRS } from "#commands";
import { policyV1 } from "#contracts";
import { protocols } from "#protocols";
import { Choice, Integer, isName, Name, Nested, NestedList, Text } from "../http/fields.js";
import { given, type Kind } from "./kind.js";

class Host {
  @Text({ description: "Its address, as the enforcer reaches it.", min: 1, max: 255, example: "db-1.internal" })
  host!: string;
  @Integer({ description: "Its port.", min: 1, max: 65_535, example: 5432 })
  port!: number;
}

class Upstream {
  @Text({
    description: "Its address, as the enforcer reaches it. With `port`, or else `hosts`.",
    min: 1,
    max: 255,
    optional: true,
    example: "db.internal",
  })
  host?: string;
  @Integer({ description: "Its port.", min: 1, max: 65_535, optional: true, example: 5432 })
  port?: number;
  @NestedList(() => Host, {
    description: "In the place of `host` and `port`: several hosts, tried in this order.",
    optional: true,
  })
  hosts: Host[] = [];
  @Choice([...TARGET_SESSION_ATTRS], {
    description: "Which of the hosts will do, as libpq means it.",
    optional: true,
  })
  target_session_attrs = "any";
  @Text({ description: "The database; empty where the protocol has none.", max: 63, optional: true, example: "shop" })
  database = "";
  @Choice(["disable", "require", "verify-full"], { description: "How TLS towards it is done.", optional: true })
  tls = "verify-full";
  @Text({
    description: "The CA that signed its certificate, PEM; empty: the system's roots.",
    max: 65_536,
    optional: true,
  })
  ca = "";
}

class Credential {
  @Text({ description: "The real user name.", min: 1, max: 255, example: "shop_app" })
  username!: string;
  @Text({
    description: "Where the enforcer finds the real password: `env:NAME` or `file:/path`. Never the password itself.",
    pattern: /^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/,
    says: "env:NAME or file:/absolute/path (the enforcer resolves it; the secret itself never comes here)",
    example: "env:SHOP_PASSWORD",
  })
  password!: string;
}

class ResourceBody {
  @Choice([...protocols.keys()], { description: "The protocol it speaks.", example: "postgres" })
  protocol!: string;
  @Name({ description: "The group of enforcers that serve it.", example: "default" })
  group!: string;
  @Nested(() => Upstream, { description: "Where it is." })
  upstream!: Upstream;
  @Nested(() => Credential, { description: "The real credential, by reference." })
  credential!: Credential;
  @Choice(["os", "disk"], {
    description: "How safe a plain read's record is before the read leaves; everything else is always `disk`.",
    optional: true,
  })
  reads = "os";
}

class DeclaredResource extends ResourceBody {
  @Name({ description: "Its name.", example: "shop" })
  name!: string;
}

class Resource extends DeclaredResource {
  @Integer({ description: "Rises with every change; the ETag.", example: 3 })
  version!: number;
}

const { putResource, checkResource, getResource, listResources, deleteResource } = policyV1.Policy.method;

export const resources: Kind = {
  one: "resource",
  many: "resources",
  summary: "Something an enforcer can reach",
  schema: policyV1.ResourceSchema,
  body: ResourceBody,
  declared: DeclaredResource,
  view: Resource,
  example: {
    protocol: "postgres",
    group: "default",
    upstream: { host: "db.internal", port: 5432, database: "shop", tls: "verify-full" },
    credential: { username: "shop_app", password: "env:SHOP_PASSWORD" },
  },
  isName,
  async list(bus, page, call) {
    const request = create(policyV1.ListResourcesRequestSchema, { page });
    const { resources, next } = await bus.call(listResources, request, call);
    return { items: resources, next };
  },
  get: (bus, name, call) => bus.call(getResource, create(policyV1.GetResourceRequestSchema, { name }), call),
  put: (bus, resource, precondition, call) =>
    bus.call(
      putResource,
      create(policyV1.PutResourceRequestSchema, { resource: resource as policyV1.Resource, ...given(precondition) }),
      call,
    ),
  async check(bus, resource, call) {
    await bus.call(
      checkResource,
      create(policyV1.CheckResourceRequestSchema, { resource: resource as policyV1.Resource }),
      call,
    );
  },
  async remove(bus, name, precondition, call) {
    const request = create(policyV1.DeleteResourceRequestSchema, { name, ...given(precondition) });
    await bus.call(deleteResource, request, call);
  },
};
