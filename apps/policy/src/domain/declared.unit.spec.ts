import { type LabelDefinition, labelDecider } from "./label.js";
import { policyDecider } from "./policy-document.js";
import { type ResourceDefinition, resourceDecider } from "./resource.js";

const shop: ResourceDefinition = {
  name: "shop",
  protocol: "postgres",
  group: "default",
  upstream: { host: "127.0.0.1", port: 5432, database: "shop", tls: "disable", ca: "" },
  credential: { username: "app", password: "env:SHOP_PASSWORD" },
  reads: "os",
};
const declared = (definition: ResourceDefinition) => ({ type: "ResourceDeclared" as const, data: definition });
const put = (definition: ResourceDefinition, creating = false) => ({ type: "Put" as const, definition, creating });

function given(...events: Parameters<typeof resourceDecider.evolve>[1][]) {
  const state = events.reduce(resourceDecider.evolve, resourceDecider.initialState());
  return { when: (command: Parameters<typeof resourceDecider.decide>[0]) => resourceDecider.decide(command, state) };
}

describe("what is declared", () => {
  test("given nothing, when put, then declared", () => {
    expect(given().when(put(shop, true))).toEqual([declared(shop)]);
  });
  test("given it, when put the same, then nothing", () => {
    expect(given(declared(shop)).when(put({ ...shop }))).toEqual([]);
  });
  test("given it, when put otherwise, then declared anew", () => {
    const other = { ...shop, reads: "disk" as const };
    expect(given(declared(shop)).when(put(other))).toEqual([declared(other)]);
  });
  test("given it, when created, then refused", () => {
    expect(() => given(declared(shop)).when(put(shop, true))).toThrow("there is a resource shop already");
  });
  test("given it, when deleted, then deleted; and can be created again", () => {
    const deleted = { type: "ResourceDeleted" as const, data: { name: "shop" } };
    expect(given(declared(shop)).when({ type: "Delete" })).toEqual([deleted]);
    expect(given(declared(shop), deleted).when(put(shop, true))).toEqual([declared(shop)]);
    expect(() => given(declared(shop), deleted).when({ type: "Delete" })).toThrow("there is no such resource");
  });
});

describe("a resource is refused", () => {
  const upstream = (over: Partial<ResourceDefinition["upstream"]>) => ({ upstream: { ...shop.upstream, ...over } });
  const { host: _, port: __, ...rest } = shop.upstream;
  const hosts = (...list: [string, number][]) => ({
    upstream: { ...rest, hosts: list.map(([host, port]) => ({ host, port })) },
  });
  const password = (text: string) => ({ credential: { username: "app", password: text } });
  test.each<[string, Partial<ResourceDefinition>, string]>([
    ["a name in capitals", { name: "Shop" }, "name"],
    ["no group", { group: "" }, "group"],
    ["a host with a port", upstream({ host: "db:5432" }), "upstream.host"],
    ["a host that is a URL", upstream({ host: "postgres://db" }), "upstream.host"],
    ["no host", upstream({ host: "" }), "upstream.host"],
    ["no port", upstream({ port: 0 }), "upstream.port"],
    ["a port too high", upstream({ port: 65536 }), "upstream.port"],
    ["a host and hosts", upstream({ hosts: [{ host: "db", port: 5432 }] }), "upstream.hosts: takes the place"],
    ["no hosts", hosts(), "upstream.hosts"],
    ["too many hosts", hosts(...Array.from({ length: 17 }, (_each, n): [string, number] => [`db${n}`, 1])), "1 to 16"],
    ["one host twice", hosts(["db", 1], ["db", 1]), "twice"],
    ["a bad host among them", hosts(["db", 1], ["a b", 1]), "upstream.hosts[1].host"],
    ["a bad port among them", hosts(["db", 0]), "upstream.hosts[0].port"],
    ["a CA that is none", upstream({ ca: "hello" }), "upstream.ca"],
    ["no user", { credential: { username: "", password: "env:A" } }, "credential.username"],
    ["a secret", password("hunter2"), "never the secret itself"],
    ["a relative file", password("file:secret"), "never the secret itself"],
    ["an empty reference", password("env:"), "never the secret itself"],
    ["nothing", password(""), "never the secret itself"],
  ])("for %s", (_, over, message) => expect(() => given().when(put({ ...shop, ...over }))).toThrow(message));

  test("with all that is wrong with it, each with its field", () => {
    try {
      given().when(put({ ...shop, group: "", ...upstream({ host: "a b", port: 0 }), ...password("hunter2") }));
    } catch (error) {
      const { details } = error as { details: { faults: string } };
      const fields = JSON.parse(details.faults).map(({ field }: { field: string }) => field);
      expect(fields).toEqual(["group", "upstream.host", "upstream.port", "credential.password"]);
      return;
    }
    throw new Error("it was not refused");
  });

  test("without its secret repeated", () => {
    expect(() => given().when(put({ ...shop, ...password("hunter2") }))).toThrow(/^(?!.*hunter2)/);
  });

  test("not for several hosts", () => {
    const several = hosts(["db-1", 5432], ["db-1", 5433], ["::1", 5432]);
    expect(given().when(put({ ...shop, ...several }))).toHaveLength(1);
  });

  test.each(["db.internal", "10.0.0.1", "::1", "2001:db8::1", "my_db", "a"])("not for host %s", (host) => {
    expect(given().when(put({ ...shop, ...upstream({ host }) }))).toHaveLength(1);
  });
});

describe("a label is refused", () => {
  const email: LabelDefinition = {
    name: "pii.email",
    description: "",
    columns: [{ resource: "shop", schema: "public", table: "customers", column: "email" }],
    transform: { kind: "redact", options: {} },
  };
  const when = (over: Partial<LabelDefinition>) =>
    labelDecider.decide(
      { type: "Put", definition: { ...email, ...over }, creating: false },
      labelDecider.initialState(),
    );
  test.each<[string, Partial<LabelDefinition>, string]>([
    ["a dot at its end", { name: "pii." }, "name"],
    ["two dots", { name: "pii..email" }, "name"],
    ["a column named twice", { columns: [email.columns[0]!, email.columns[0]!] }, "named twice"],
    ["no column", { columns: [{ ...email.columns[0]!, column: "" }] }, "columns[0].column"],
    ["a description with a bell", { description: "\u0007" }, "control characters"],
  ])("for %s", (_, over, message) => expect(() => when(over)).toThrow(message));
  test("not for one without columns", () => expect(when({ columns: [] })).toHaveLength(1));
});

test("a policy document needs a name", () => {
  const definition = { name: "a b", description: "", text: "" };
  expect(() => policyDecider.decide({ type: "Put", definition, creating: false }, { status: "absent" })).toThrow(
    "name",
  );
});
