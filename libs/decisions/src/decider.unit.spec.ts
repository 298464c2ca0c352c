import { createDecider } from "./decider.js";
import { bundleOf, CONNECT_ALL, command, label, operation, session } from "./decisions.fixture.js";

const NOW = 1_700_000_000_000;

/** Given these policies (and that everyone may connect), when this command, then this verdict. */
const verdictOf = (
  text: string,
  asked: ReturnType<typeof command>,
  {
    as = session(),
    now = NOW,
    ...over
  }: { as?: ReturnType<typeof session>; now?: number } & Parameters<typeof bundleOf>[1] = {},
) => {
  const decider = createDecider(bundleOf(CONNECT_ALL + text, over));
  try {
    return decider.decide(asked, as, now);
  } finally {
    decider.dispose();
  }
};

const SELECT = 'permit(principal, action in Action::"sql:read", resource);\n';

describe("commands", () => {
  test("a permit that matches allows, and is named", () => {
    expect(verdictOf(SELECT, command("sql:select"))).toEqual({
      kind: "allow",
      masked: [],
      rowLimit: null,
      uses: [],
      policies: ["rules#2"],
      epoch: 7,
    });
  });

  test("no permit denies, saying what was missing", () => {
    const drop = operation("sql:drop_table", { tablesWritten: ["public.orders"] });
    expect(verdictOf(SELECT, command(drop))).toMatchObject({
      kind: "deny",
      reason: "No policy permits sql:drop_table (public.orders) on shop to github|job-1.",
      advice: expect.stringContaining('Action::"sql:drop_table" on Resource::"shop"'),
    });
  });

  test("a forbid wins over every permit and gives its reason", () => {
    const text = `${SELECT}@id("no-reads") @reason("Reads are closed for the audit") forbid(principal, action == Action::"sql:select", resource);`;
    expect(verdictOf(text, command("sql:select"))).toMatchObject({
      kind: "deny",
      policies: ["rules#no-reads"],
      reason: "Policy rules#no-reads forbids sql:select: Reads are closed for the audit.",
    });
  });

  test("each operation must be permitted", () => {
    expect(verdictOf(SELECT, command("sql:select", "sql:insert"))).toMatchObject({ kind: "deny" });
    expect(verdictOf(SELECT, command("sql:select", "sql:explain"))).toMatchObject({ kind: "allow" });
  });

  test("the context carries what the command does", () => {
    const text = `permit(principal, action in Action::"sql:write", resource) when {
      context.bounded && context.tables_written.contains("public.orders") && context.functions.contains("now")
      && context.statement_count == 1 && context.run == "run-1" && context.on_behalf_of.contains("ann")
      && context.client_address == "127.0.0.1" && context.columns_written.contains("public.orders.state")
      && context.tables_read.contains("public.orders") && context.columns_read.contains("public.orders.id")
      && principal.issuer == "github" && principal.subject == "job-1" && principal.name == "Job 1"
      && resource.protocol == "postgres" };`;
    const update = operation("sql:update", {
      tablesWritten: ["public.orders"],
      tablesRead: ["public.orders"],
      columnsWritten: ["public.orders.state"],
      columnsRead: ["public.orders.id"],
      functions: ["now"],
    });
    expect(verdictOf(text, command(update))).toMatchObject({ kind: "allow" });
    expect(verdictOf(text, command({ ...update, bounded: false }))).toMatchObject({ kind: "deny" });
    expect(verdictOf(text, command(update, "sql:select"))).toMatchObject({ kind: "deny" });
  });

  test("groups, resources and principals count", () => {
    const text = 'permit(principal in Group::"dba", action in Action::"sql:any", resource == Resource::"shop");';
    expect(verdictOf(text, command("sql:grant"), { as: session({}, ["dba"]) })).toMatchObject({ kind: "allow" });
    expect(verdictOf(text, command("sql:grant"))).toMatchObject({ kind: "deny" });
    expect(verdictOf(text, command("sql:grant"), { as: session({ resource: "other" }, ["dba"]) })).toMatchObject({
      kind: "deny",
    });
  });

  test("an action or a resource nobody knows is denied", () => {
    const all = "permit(principal, action, resource);";
    for (const action of ["sql:frobnicate", "sql:read", "reveal", "connect", ""]) {
      expect(verdictOf(all, command(action))).toMatchObject({
        kind: "deny",
        reason: expect.stringContaining("not an action"),
      });
    }
    expect(verdictOf(all, command("sql:select"), { as: session({ resource: "gone" }) })).toMatchObject({
      kind: "deny",
      reason: expect.stringContaining("no resource gone"),
    });
  });

  test("a policy that fails to evaluate denies, and is named", () => {
    const text = `${SELECT}permit(principal, action == Action::"sql:select", resource) when { context.statement_count + 9223372036854775807 > 0 };`;
    expect(verdictOf(text, command("sql:select"))).toMatchObject({
      kind: "deny",
      policies: ["rules#3"],
      reason: expect.stringMatching(/rules#3 could not decide sql:select: .*overflow/),
    });
  });
});

describe("connecting", () => {
  const decide = (text: string, as = session()) => createDecider(bundleOf(text)).connect(as, NOW);

  test("needs a permit of its own", () => {
    expect(decide(CONNECT_ALL)).toMatchObject({ kind: "allow", policies: ["rules"] });
    expect(decide(SELECT)).toMatchObject({
      kind: "deny",
      reason: "No policy permits connect on shop to github|job-1.",
    });
    expect(decide("")).toMatchObject({ kind: "deny" });
  });

  test("once forbidden, commands of open sessions are denied too", () => {
    const text = 'forbid(principal, action == Action::"connect", resource) when { context.run == "run-1" };';
    expect(verdictOf(SELECT + text, command("sql:select"))).toMatchObject({ kind: "deny", policies: ["rules#3"] });
  });

  test("is all that session statements need, whatever the scope", () => {
    expect(verdictOf("", command("sql:session"))).toMatchObject({ kind: "allow", policies: ["rules"] });
    expect(verdictOf("", command("sql:session"), { as: session({ scope: ["sql:read"] }) })).toMatchObject({
      kind: "allow",
    });
    expect(verdictOf("", command())).toMatchObject({ kind: "allow" });
    const held = '@approval permit(principal, action in Action::"sql:any", resource);';
    expect(verdictOf(held, command("sql:session"))).toMatchObject({ kind: "allow" });
    const forbid = 'forbid(principal, action in Action::"sql:session", resource);';
    expect(verdictOf(forbid, command("sql:session"))).toMatchObject({ kind: "deny" });
  });
});

describe("holds", () => {
  const DDL = 'action in Action::"sql:ddl", resource';

  test("a permit with an approval holds, with its terms", () => {
    const text = `@id("ddl") @approval("dba") @quorum("2") @ttl("90s") @reason("Changes the schema") permit(principal, ${DDL});`;
    expect(verdictOf(text, command("sql:alter_table"))).toEqual({
      kind: "hold",
      masked: [],
      rowLimit: null,
      uses: [],
      policies: ["rules#ddl"],
      epoch: 7,
      approvers: "dba",
      quorum: 2,
      ttlSeconds: 90,
      reason: "Changes the schema",
    });
  });

  test("defaults to one approver of any group and a quarter of an hour", () => {
    expect(verdictOf(`@approval permit(principal, ${DDL});`, command("sql:reindex"))).toMatchObject({
      kind: "hold",
      approvers: "",
      quorum: 1,
      ttlSeconds: 900,
      reason: "policy rules#2 asks for an approval",
    });
  });

  test("a plain permit that matches too makes it an allow, a forbid a deny", () => {
    const held = `@approval permit(principal, ${DDL});`;
    expect(verdictOf(`${held}permit(principal in Group::"ci", ${DDL});`, command("sql:reindex"))).toMatchObject({
      kind: "allow",
    });
    expect(verdictOf(`${held}forbid(principal in Group::"ci", ${DDL});`, command("sql:reindex"))).toMatchObject({
      kind: "deny",
    });
  });

  test("of several that match one operation the strictest counts", () => {
    const text = `
      @approval @quorum("2") permit(principal, ${DDL});
      @approval("sec") @quorum("2") @ttl("1h") permit(principal, ${DDL});
      @approval("dba") @quorum("2") @ttl("5m") permit(principal, ${DDL});
      @approval("dba") @quorum("1") @ttl("1m") permit(principal, ${DDL});`;
    expect(verdictOf(text, command("sql:reindex"))).toMatchObject({
      approvers: "dba",
      quorum: 2,
      ttlSeconds: 300,
      policies: ["rules#4"],
    });
  });

  test("of several operations one approval takes the larger quorum and the shorter time", () => {
    const text = `
      @approval @quorum("3") @ttl("1h") permit(principal, action == Action::"sql:drop_table", resource);
      @approval("dba") @ttl("1m") permit(principal, action == Action::"sql:alter_table", resource);
      permit(principal, action == Action::"sql:comment", resource);`;
    expect(verdictOf(text, command("sql:comment", "sql:drop_table", "sql:alter_table"))).toMatchObject({
      kind: "hold",
      approvers: "dba",
      quorum: 3,
      ttlSeconds: 60,
      policies: ["rules#2", "rules#3", "rules#4"],
    });
  });

  test("operations that need different groups cannot share an approval", () => {
    const text = `
      @approval("sec") permit(principal, action == Action::"sql:grant", resource);
      @approval("dba") permit(principal, action == Action::"sql:alter_table", resource);`;
    expect(verdictOf(text, command("sql:grant", "sql:alter_table"))).toMatchObject({
      kind: "deny",
      reason: expect.stringContaining("sec, dba"),
    });
  });
});

describe("row limits", () => {
  const upTo = (rows: number, action: string, more = "") =>
    `@max_rows("${rows}") ${more} permit(principal, action == Action::"sql:${action}", resource);\n`;
  const limitOf = (text: string, ...actions: string[]) => {
    const verdict = verdictOf(text, command(...actions.map((action) => `sql:${action}`)));
    return verdict.kind === "deny" ? verdict : verdict.rowLimit;
  };

  test.each([
    ["one", upTo(10, "select"), { rows: 10, policy: "rules#2", actions: ["sql:select"] }],
    ["the most generous", upTo(10, "select") + upTo(20, "select"), { rows: 20, policy: "rules#3" }],
    ["none, where a permit has none", upTo(10, "select") + SELECT, null],
    [
      "the strictest, where it is held",
      upTo(10, "select", "@approval") + upTo(20, "select", "@approval"),
      { rows: 10, policy: "rules#2" },
    ],
    ["that of the plain permit", upTo(10, "select", "@approval") + upTo(20, "select"), { rows: 20 }],
  ])("of several permits: %s", (_, text, limit) => {
    const given = limitOf(text, "select");
    if (limit === null) expect(given).toBeNull();
    else expect(given).toMatchObject(limit);
  });

  test("of several operations the narrowest, with all that are limited", () => {
    expect(limitOf(upTo(10, "insert") + upTo(5, "select"), "insert", "select")).toEqual({
      rows: 5,
      policy: "rules#3",
      actions: ["sql:insert", "sql:select"],
    });
    expect(limitOf(upTo(10, "insert") + SELECT, "insert", "select")).toMatchObject({ actions: ["sql:insert"] });
  });
});

describe("the token's scope", () => {
  const ALL = 'permit(principal, action in Action::"sql:any", resource);';
  test.each([
    [["sql:read"], "sql:select", "allow"],
    [["sql:select"], "sql:select", "allow"],
    [["sql:any"], "sql:drop_table", "allow"],
    [["sql:read"], "sql:insert", "deny"],
    [["sql:select"], "sql:show", "deny"],
    [["nonsense"], "sql:select", "deny"],
  ])("%p and %s: %s", (scope, action, kind) => {
    expect(verdictOf(ALL, command(action), { as: session({ scope }) })).toMatchObject({ kind });
  });

  test("is named in the reason", () => {
    expect(verdictOf(ALL, command("sql:insert"), { as: session({ scope: ["sql:read"] }) })).toMatchObject({
      reason: "The token is limited to sql:read; sql:insert is outside of that.",
      advice: expect.stringContaining("sql:insert or sql:write or sql:any"),
    });
  });
});

describe("masks", () => {
  const labels = [label("pii.email"), label("pii.phone"), label("secret"), label("pii.elsewhere", "other")];
  const masked = (text: string, as = session()) => {
    const verdict = verdictOf(SELECT + text, command("sql:select"), { labels, as });
    return verdict.kind === "deny" ? verdict : verdict.masked.map((mask) => mask.label);
  };

  test("a label nobody wrote a policy for is masked, on the resources it touches", () => {
    expect(masked("")).toEqual(["pii.email", "pii.phone", "secret"]);
    expect(masked("", session({ resource: "other" }))).toEqual(["pii.elsewhere"]);
  });

  test("reveal permits a label, a family of labels, or a label on one resource", () => {
    expect(masked('permit(principal, action == Action::"reveal", resource == Label::"pii.email");')).toEqual([
      "pii.phone",
      "secret",
    ]);
    expect(masked('permit(principal, action == Action::"reveal", resource in Label::"pii");')).toEqual(["secret"]);
    expect(
      masked('permit(principal, action == Action::"reveal", resource) when { context.resource == Resource::"other" };'),
    ).toEqual(["pii.email", "pii.phone", "secret"]);
    expect(masked('permit(principal in Group::"ci", action == Action::"reveal", resource);')).toEqual([]);
  });

  test("a forbid, a failing policy and a scope without reveal keep the mask", () => {
    const reveal = 'permit(principal, action == Action::"reveal", resource);';
    expect(masked(`${reveal}forbid(principal, action == Action::"reveal", resource in Label::"pii");`)).toEqual([
      "pii.email",
      "pii.phone",
    ]);
    expect(
      masked(
        `${reveal}permit(principal, action == Action::"reveal", resource == Label::"secret") when { context.now * context.now > 0 && context.now * context.now * context.now > 0 };`,
      ),
    ).toEqual(["secret"]);
    expect(masked(reveal, session({ scope: ["sql:read"] }))).toEqual(["pii.email", "pii.phone", "secret"]);
    expect(masked(reveal, session({ scope: ["sql:read", "reveal"] }))).toEqual([]);
  });

  test("a hold carries them too", () => {
    const held = '@approval permit(principal, action == Action::"sql:copy_out", resource);';
    expect(verdictOf(held, command("sql:copy_out"), { labels: [label("pii")] })).toMatchObject({
      kind: "hold",
      masked: [{ label: "pii", transform: { kind: "redact", options: {} } }],
    });
  });
});

describe("the cache", () => {
  test("gives the same verdict object to equal questions", () => {
    const decider = createDecider(bundleOf(CONNECT_ALL + SELECT));
    const first = decider.decide(command("sql:select"), session(), NOW);
    expect(decider.decide(command("sql:select"), session(), NOW + 1)).toBe(first);
    decider.dispose();
  });

  test("never outlives the time a policy asks about", () => {
    for (const text of [
      `permit(principal, action in Action::"sql:read", resource) when { context.now < ${NOW + 1} };`,
      `${SELECT} forbid(principal, action == Action::"connect", resource) when { context.now > ${NOW} };`,
    ]) {
      const decider = createDecider(bundleOf(CONNECT_ALL + text));
      expect(decider.decide(command("sql:select"), session(), NOW)).toMatchObject({ kind: "allow" });
      expect(decider.decide(command("sql:select"), session(), NOW + 1)).toMatchObject({ kind: "deny" });
      decider.dispose();
    }
    const reveal = `permit(principal, action == Action::"reveal", resource) when { context.now <= ${NOW} };`;
    const decider = createDecider(bundleOf(CONNECT_ALL + SELECT + reveal, { labels: [label("pii")] }));
    expect(decider.decide(command("sql:select"), session(), NOW)).toMatchObject({ masked: [] });
    expect(decider.decide(command("sql:select"), session(), NOW + 1)).toMatchObject({ masked: [{ label: "pii" }] });
    decider.dispose();
  });
});

describe("a command of many operations", () => {
  const many = Array.from({ length: 100 }, (_, i) => operation("sql:select", { rowLimit: i }));

  test("lets others have the thread, and is decided as it would be at once", async () => {
    const decider = createDecider(bundleOf(CONNECT_ALL + SELECT));
    let turns = 0;
    let next = setImmediate(function turn() {
      turns += 1;
      next = setImmediate(turn);
    });
    const deciding = decider.decideInTurns(command(...many), session(), NOW);
    expect(deciding).toBeInstanceOf(Promise);
    const verdict = await deciding;
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(10);
    expect(decider.decideInTurns(command(...many), session(), NOW)).toBe(verdict);
    decider.dispose();
    const other = createDecider(bundleOf(CONNECT_ALL + SELECT));
    expect(other.decide(command(...many), session(), NOW)).toEqual(verdict);
    other.dispose();
  });

  test("that are all the same is one question", () => {
    const decider = createDecider(bundleOf(CONNECT_ALL + SELECT));
    const same = Array.from({ length: 2_000 }, () => "sql:select");
    expect(decider.decideInTurns(command(...same), session(), NOW)).toMatchObject({ kind: "allow" });
    decider.dispose();
  });

  test("is denied where the bundle is replaced in between", async () => {
    const decider = createDecider(bundleOf(CONNECT_ALL + SELECT));
    const deciding = decider.decideInTurns(command(...many), session(), NOW);
    decider.dispose();
    expect(await deciding).toMatchObject({ kind: "deny", policies: [] });
  });
});

describe("a bundle", () => {
  test.each([
    ["permit(principal, action, resource", "line 1"],
    ['@aproval permit(principal, action in Action::"sql:ddl", resource);', "@aproval"],
  ])("with a policy that would not validate makes no decider: %s", (text, message) => {
    expect(() => createDecider(bundleOf(text))).toThrow(message);
  });

  test("replaced denies what comes late", () => {
    const decider = createDecider(bundleOf(CONNECT_ALL + SELECT));
    expect(decider.decide(command("sql:select"), session(), NOW)).toMatchObject({ kind: "allow" });
    decider.dispose();
    decider.dispose();
    expect(decider.decide(command("sql:select"), session(), NOW)).toMatchObject({ kind: "deny", policies: [] });
    expect(decider.connect(session(), NOW)).toMatchObject({ kind: "deny" });
  });
});
