import type { LabelPart, PolicyPart } from "#commands";

/** What enforcer tests protect: a little shop, one label, and policies that permit, hold and forbid. */

export const GROUP = "demo";
export const RESOURCE = "shop";

export const SHOP = `
  create table customers (id int primary key, name text not null, email text not null unique, phone text);
  create table orders (id int primary key, customer_id int references customers, total numeric(10,2));
  insert into customers select n, 'Name ' || n, 'user' || n || '@example.com', '+1 555 ' || n from generate_series(1, 50) n;
  insert into orders select n, 1 + n % 50, n from generate_series(1, 200) n;
  create table notes (id serial primary key, body text);
  create table big (id int, filler text);
  insert into big select n, repeat('x', 1000) from generate_series(1, 20000) n;
`;

export const LABELS: LabelPart[] = [
  {
    name: "pii.email",
    columns: [{ resource: RESOURCE, schema: "public", table: "customers", column: "email" }],
    transform: { kind: "redact", options: {} },
  },
];

export const POLICIES: PolicyPart[] = [
  {
    name: "shop",
    text: `
      permit (principal, action == Action::"connect", resource);
      permit (principal, action in [Action::"sql:read", Action::"sql:write", Action::"sql:call"], resource);
      @approval("dba") @ttl("15m") @reason("Schema changes need a second pair of eyes.")
      permit (principal, action in Action::"sql:ddl", resource);`,
  },
  {
    name: "guard",
    text: `@reason("Say which rows.") forbid (principal, action in [Action::"sql:delete", Action::"sql:update"], resource)
           unless { context.bounded };
           forbid (principal, action in Action::"sql:drop_table", resource);`,
  },
];
