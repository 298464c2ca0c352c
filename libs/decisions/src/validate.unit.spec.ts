import { CEDAR_SCHEMA } from "./schema.js";
import { validatePolicies } from "./validate.js";

const refused = (text: string) => validatePolicies(text)[0];

describe("a policy document", () => {
  test.each([
    ['permit(principal, action == Action::"connect", resource);'],
    ['permit(principal in Group::"ci", action in Action::"sql:read", resource == Resource::"shop");'],
    ['permit(principal, action == Action::"sql:call", resource);'],
    ['permit(principal, action in Action::"sql:session", resource);'],
    [
      'permit(principal, action == Action::"filter", resource == Label::"pii.email") when { ["equality", "join"].contains(context.use) && context.table == "public.customers" };',
    ],
    [
      'permit(principal, action == Action::"copy", resource) when { ["file", "setval()", "*", "a.b.c"].contains(context.target) };',
    ],
    [
      'permit(principal, action == Action::"reveal", resource in Label::"pii") when { context.resource == Resource::"shop" };',
    ],
    ['forbid(principal, action in [Action::"sql:delete", Action::"sql:update"], resource) unless { context.bounded };'],
    [
      '@id("ddl") @approval("dba") @quorum("2") @ttl("90s") @reason("Changes the schema")\npermit(principal, action in Action::"sql:ddl", resource);',
    ],
    ['@approval permit(principal, action in Action::"sql:ddl", resource);'],
    [
      '// only a comment; with ; in it\npermit(principal, action, resource) unless { principal.name == "a;b\\" // c" };',
    ],
    [
      'permit(principal, action in Action::"sql:any", resource) when { context.now < 1900000000000 && context.run != "" };',
    ],
    [
      'forbid(principal, action in Action::"sql:any", resource) when { context.tables_read.containsAny(["hr.pay", "hr.bonus"]) };',
    ],
  ])("is accepted: %s", (text) => expect(validatePolicies(text)).toEqual([]));

  test("says once what is wrong for each of several actions", () => {
    const text = 'permit (principal, action in Action::"sql:read", resource) when { context.nope == 1 };';
    expect(validatePolicies(text)).toEqual([
      { line: 1, column: 67, message: expect.stringContaining("attribute `nope` in context") },
    ]);
  });

  test("tells line and column, counted in characters, of each problem", () => {
    const text =
      '// é€😀\npermit(principal, action == Action::"sql:selec", resource);\n\n  permit(principal, acton, resource);';
    expect(validatePolicies(text)).toEqual([
      {
        line: 2,
        column: 29,
        message: 'unrecognized action `Action::"sql:selec"` (did you mean `Action::"sql:select"`?)',
      },
      { line: 4, column: 21, message: expect.stringContaining("acton") },
    ]);
  });

  test.each([
    ["", "holds no policy"],
    ["  // nothing\n", "holds no policy"],
    ["hello", "unexpected"],
    ['permit(principal, action == Action::"connect", resource)', "unexpected end of input (is the `;` missing"],
    ["permit(principal, action, resource) permit(principal, action, resource);", "is a `;` missing"],
    ['permit(principal, action, resource) @id("b") permit(principal, action, resource);', "is the `;` missing"],
    ['permit(principal == ?principal, action == Action::"connect", resource);', "template"],
    ['permit(principal, action == Action::"sql:read", resource);', "is a group of actions"],
    [
      'permit(principal, action == Action::"reveal", resource == Resource::"shop");',
      'is done to a Label, not to a Resource: write resource == Label::"…" (or in), and when { context.resource == Resource::"shop" } to',
    ],
    ['permit(principal, action == Action::"copy", resource is Resource);', "is done to a Label, not to a Resource"],
    [
      'permit(principal, action == Action::"reveal", resource) when { resource == Resource::"shop" };',
      "is done to a Label, not to a Resource",
    ],
    [
      'permit(principal, action in Action::"sql:read", resource in Label::"pii");',
      'Action::"sql:read" is done to a Resource, not to a Label: write resource == Resource::"…"',
    ],
    ['forbid(principal, action in Action::"sql:write", resource) when { 1 == 2 };', "impossible"],
    ['forbid(principal, action in Action::"sql:write", resource) when { context.bonded };', "bonded"],
    [
      'forbid(principal, action in Action::"sql:write", resource) when { context.tables_written.contains("orders") };',
      'never "orders"',
    ],
    [
      'forbid(principal, action in Action::"sql:any", resource) when { context.columns_read.containsAny(["a.b.c", "c.email"]) };',
      'never "c.email"',
    ],
    ['permit(principal, action == Action::"filter", resource) when { context.use == "equal" };', 'never "equal"'],
    [
      'permit(principal, action == Action::"order", resource) when { ["sort", "by"].contains(context.use) };',
      'never "by"',
    ],
    ['forbid(principal, action == Action::"filter", resource) when { context.column == "email" };', 'never "email"'],
    ['permit(principal, action == Action::"copy", resource) when { context.target == "log" };', 'never "log"'],
    ['permit(principal, action == Action::"copy", resource) when { context.use == "sort" };', "use"],
    ['@approval permit(principal, action == Action::"copy", resource);', "must name them"],
    ['permit(principal in Team::"a", action == Action::"connect", resource);', "Team"],
    ['@max_rows("many") permit(principal, action in Action::"sql:read", resource);', "must be a number of rows"],
    ['@max_rows("5") forbid(principal, action in Action::"sql:read", resource);', "no place on a forbid"],
    ['@max_rows("5") permit(principal, action, resource);', "must name them"],
    ['@aproval("dba") permit(principal, action in Action::"sql:ddl", resource);', "@aproval is not an annotation"],
    ['@approval("dba") forbid(principal, action in Action::"sql:ddl", resource);', "cannot be approved"],
    ['@quorum("2") permit(principal, action in Action::"sql:ddl", resource);', "needs @approval"],
    ['@ttl("5m") forbid(principal, action in Action::"sql:ddl", resource);', "@ttl has no place"],
    ['@approval @quorum("0") permit(principal, action in Action::"sql:ddl", resource);', "1 to 20"],
    ['@approval @quorum("two") permit(principal, action in Action::"sql:ddl", resource);', "1 to 20"],
    ['@approval @ttl("5") permit(principal, action in Action::"sql:ddl", resource);', "10s to 24h"],
    ['@approval @ttl("25h") permit(principal, action in Action::"sql:ddl", resource);', "10s to 24h"],
    ['@approval(" dba") permit(principal, action in Action::"sql:ddl", resource);', "names one group"],
    ['@approval("dba") permit(principal, action, resource);', "must name them"],
    [
      '@approval("dba") permit(principal, action in [Action::"sql:ddl", Action::"connect"], resource);',
      "must name them",
    ],
    ['@approval("dba") permit(principal, action == Action::"reveal", resource);', "must name them"],
    ['@id("a b") permit(principal, action == Action::"connect", resource);', "must begin with a letter"],
    ['@reason permit(principal, action == Action::"connect", resource);', "@reason must be"],
    ['@reason("a\\nb") forbid(principal, action == Action::"connect", resource);', "@reason must be"],
    ['@id("a") @id("b") permit(principal, action == Action::"connect", resource);', "duplicate annotation"],
    [`${'@id("a") permit(principal, action == Action::"connect", resource);'.repeat(2)}`, "used twice"],
    [`permit(principal, action == Action::"connect", resource);${" ".repeat(100_000)}`, "longer than"],
  ])("is refused with the reason: %s", (text, reason) => expect(refused(text)?.message).toContain(reason));

  test.each([
    ['permit(principal, action == Action::"conect", resource);', 'did you mean `Action::"connect"`?'],
    ['permit(principal, action == Action::"delete", resource);', 'did you mean `Action::"sql:delete"`?'],
    ['permit(principal, action in Action::"sql:reads", resource);', 'did you mean `Action::"sql:read"`?'],
    // A group of actions, which == does not take.
    ['permit(principal, action == Action::"sql:reads", resource);', null],
    ['permit(principal, action == Action::"sql:drop", resource);', null],
    ['permit(principal, action == Action::"mask", resource);', null],
    ['permit(principal, action == Action::"copi", resource == Resource::"shop");', null],
    ['permit(principal in Groups::"ci", action, resource);', "did you mean `Group`?"],
    ['permit(principal in User::"ci", action, resource);', "known here: Group"],
    ['permit(principal == Agents::"ci", action, resource);', "did you mean `Agent`?"],
    ['permit(principal, action == Action::"reveal", resource == Column::"c");', "known here: Label"],
    ['permit(principal, action in Action::"sql:read", resource == Table::"t");', "known here: Resource"],
    ["permit(principal, action, resource) when { principal.group == 1 };", "known here: issuer, name, subject"],
    ["permit(principal, action, resource) when { principal.naem == 1 };", "did you mean `name`?"],
    [
      'permit(principal, action == Action::"reveal", resource) when { context.table == "a.b" };',
      "known here: client_address, now, on_behalf_of, resource, run",
    ],
    ['permit(principal, action == Action::"sql:select", resource) when { context.bonded };', "did you mean `bounded`?"],
    ['permit(principal, action == Action::"reveal", resource) when { resource.protocol == "x" };', null],
  ])("suggests only what is near, and valid there: %s", (text, help) => {
    const [, said = null] = /\(([^()]+)\)$/.exec(refused(text)?.message ?? "(nothing is wrong)") ?? [];
    expect(said).toBe(help);
  });

  test.each([
    ["sums", `${Array(2_000).fill("1").join(" + ")} > 0`],
    ["sets", `${"[".repeat(500)}${"]".repeat(500)} == []`],
    ["brackets", `${"(".repeat(5_000)}true${")".repeat(5_000)}`],
    ["attributes", `context${".a".repeat(20_000)} == 1`],
    ["alternatives", Array(10_000).fill("true").join(" || ")],
    ["conditionals", `${"if true then ".repeat(3_000)}true${" else false".repeat(3_000)}`],
  ])("of endless %s is refused, and the next one is read as ever", (_, expression) => {
    expect(refused(`permit(principal, action, resource) when { ${expression} };`)).toMatchObject({ line: 1 });
    expect(validatePolicies('permit(principal, action == Action::"connect", resource);')).toEqual([]);
  });

  test("the schema names every action once", () => {
    const names = [...CEDAR_SCHEMA.matchAll(/^action "([^"]+)"/gm)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(["connect", "reveal", "sql:any", "sql:read", "sql:select", "sql:set"]),
    );
  });
});
