import { ANYWHERE, type ColumnRef, type ColumnUse, type LabelPart } from "#commands";
import { createDecider } from "./decider.js";
import { bundleOf, CONNECT_ALL, command, label, operation, session } from "./decisions.fixture.js";

const NOW = 1_700_000_000_000;
const READ = 'permit(principal, action in Action::"sql:read", resource);\n';
const email: ColumnRef = { schema: "public", table: "customers", column: "email" };
const name: ColumnRef = { ...email, column: "name" };
const labels = [label("pii.email")];

type Filter = Extract<ColumnUse, { action: "filter" }>;
const filter = (use: Filter["use"], over: Partial<Filter> = {}): ColumnUse => ({
  action: "filter",
  use,
  column: email,
  clause: "WHERE",
  by: "=",
  ...over,
});
const order = (use: "sort" | "group" | "distinct"): ColumnUse => ({
  action: "order",
  use,
  column: email,
  clause: "ORDER BY",
  by: "",
});
const copy = (
  target: string,
  into: readonly ColumnRef[] = [],
  column: ColumnRef | null = email,
  direct = true,
): ColumnUse => ({
  action: "copy",
  column,
  direct,
  target,
  into,
});

/** Given these policies, when a read with these uses, then this verdict. */
function verdictOf(
  text: string,
  uses: readonly ColumnUse[],
  given: { as?: ReturnType<typeof session>; of?: LabelPart[] } = {},
) {
  const decider = createDecider(bundleOf(CONNECT_ALL + READ + text, { labels: given.of ?? labels }));
  try {
    return decider.decide({ ...command("sql:select"), uses }, given.as ?? session(), NOW);
  } finally {
    decider.dispose();
  }
}

const FILTER = 'permit(principal, action == Action::"filter", resource == Label::"pii.email")';

describe("given no policy about a label", () => {
  test.each([
    ["a filter", filter("equality")],
    ["an order", order("sort")],
    ["a copy", copy("public.log.what")],
    ["a filter by what cannot be told", filter("other", { column: null })],
    ["a filter by any column of the table", filter("other", { column: { ...email, column: "*" } })],
    ["code that is not read", copy(ANYWHERE, [], null)],
  ])("%s of what is masked is denied", (_, use) => {
    expect(verdictOf("", [use])).toMatchObject({ kind: "deny", uses: [{ label: "pii.email", permitted: false }] });
  });

  test("a setting that chooses plans is denied, and the reason says what to leave out", () => {
    const set: ColumnUse = { action: "order", use: "plan", column: null, clause: "SET", by: "enable_hashjoin" };
    expect(verdictOf("", [set])).toMatchObject({
      kind: "deny",
      reason: expect.stringMatching(
        /order on label pii\.email \(\*, plan\).*enable_hashjoin in SET chooses or measures how/,
      ),
      advice: expect.stringMatching(/^Leave enable_hashjoin out, or ask .*when \{ context\.use == "plan" \}/),
    });
    const permit = 'permit(principal, action == Action::"order", resource) when { context.use == "plan" };';
    expect(verdictOf(permit, [set])).toMatchObject({ kind: "allow" });
  });

  test.each([
    ["another column", filter("pattern", { column: name })],
    ["another table", filter("pattern", { column: { ...email, table: "orders" } })],
    ["a copy to where the label is", copy("public.customers.email", [email])],
    ["whether there is a value", filter("presence")],
  ])("%s is nobody's concern", (_, use) => {
    expect(verdictOf("", [use])).toMatchObject({ kind: "allow", uses: [] });
  });

  test("whether there is a value counts where the mask hides that too", () => {
    const hidden = [{ ...label("pii.email"), transform: { kind: "null" as const, options: {} } }];
    expect(verdictOf("", [filter("presence")], { of: hidden })).toMatchObject({ kind: "deny" });
  });

  test.each(["redact", "partial", "hash"] as const)(
    "a column goes where its label is, what is computed does not: %s",
    (kind) => {
      const of = [{ ...label("pii.email"), transform: { kind, options: {} } }];
      expect(verdictOf("", [copy("public.customers.email", [email])], { of })).toMatchObject({ kind: "allow" });
      expect(verdictOf("", [copy("public.customers.email", [email], email, false)], { of })).toMatchObject({
        kind: "deny",
        reason: expect.stringContaining("computed from public.customers.email"),
      });
    },
  );

  test("the refusal says label, column, clause and what would permit it", () => {
    expect(verdictOf("", [filter("pattern", { by: "LIKE" }), order("sort")])).toEqual({
      kind: "deny",
      reason:
        "No policy permits filter on label pii.email (public.customers.email, pattern) to github|job-1: " +
        "public.customers.email is matched with a pattern by LIKE in WHERE, which tells what the label hides.",
      advice:
        'Leave it out of WHERE, or ask an administrator for a policy that permits Action::"filter" on Label::"pii.email" ' +
        'to this agent or a group of it (ci) (when { context.use == "pattern" } limits it to this).',
      policies: [],
      epoch: 7,
      uses: [
        {
          action: "filter",
          label: "pii.email",
          column: "public.customers.email",
          use: "pattern",
          target: "",
          permitted: false,
        },
        {
          action: "order",
          label: "pii.email",
          column: "public.customers.email",
          use: "sort",
          target: "",
          permitted: false,
        },
      ],
    });
    expect(verdictOf("", [copy("public.log.what")])).toMatchObject({
      reason:
        "No policy permits copy on label pii.email to github|job-1: this command would put values labelled pii.email " +
        "(public.customers.email) into public.log.what, which does not carry the label.",
      advice: expect.stringContaining('context.target == "public.log.what"'),
    });
  });
});

describe("given a permit", () => {
  test("the use passes, and the permit is among what decided", () => {
    expect(verdictOf(`@id("look-up") ${FILTER};`, [filter("pattern")])).toMatchObject({
      kind: "allow",
      masked: [{ label: "pii.email" }],
      policies: ["rules#2", "rules#look-up"],
      uses: [{ action: "filter", use: "pattern", permitted: true }],
    });
    expect(verdictOf(`${FILTER};`, [order("sort")])).toMatchObject({ kind: "deny" });
  });

  test("of equality alone, nothing else passes", () => {
    const lookup = `${FILTER} when { context.use == "equality" };`;
    expect(verdictOf(lookup, [filter("equality")])).toMatchObject({ kind: "allow" });
    for (const use of ["join", "pattern", "range", "other"] as const) {
      expect(verdictOf(lookup, [filter("equality"), filter(use)])).toMatchObject({ kind: "deny" });
    }
  });

  test("the context says where, on what and to what", () => {
    const where = `${FILTER} when { context.resource == Resource::"shop" && context.table == "public.customers"
      && context.column == "public.customers.email" && context.run == "run-1" };`;
    expect(verdictOf(where, [filter("range")])).toMatchObject({ kind: "allow" });
    expect(verdictOf(where, [filter("range", { column: null })])).toMatchObject({ kind: "deny" });
    const archive =
      'permit(principal, action == Action::"copy", resource) when { context.target == "public.log.what" };';
    expect(verdictOf(archive, [copy("public.log.what")])).toMatchObject({ kind: "allow" });
    expect(verdictOf(archive, [copy("file")])).toMatchObject({ kind: "deny" });
    expect(verdictOf(archive, [copy(ANYWHERE, [], null)])).toMatchObject({ kind: "deny" });
  });

  test("a family of labels is permitted as one", () => {
    const family = 'permit(principal, action in [Action::"filter", Action::"order"], resource in Label::"pii");';
    expect(verdictOf(family, [filter("range"), order("group")])).toMatchObject({ kind: "allow" });
  });

  test("a forbid wins, with its reason", () => {
    const text = `${FILTER}; @id("no") @reason("Not at night") forbid(principal, action == Action::"filter", resource);`;
    expect(verdictOf(text, [filter("equality")])).toMatchObject({
      kind: "deny",
      reason: "Policy rules#no forbids filter on label pii.email (public.customers.email, equality): Not at night.",
    });
  });

  test("reveal implies every use", () => {
    const reveal = 'permit(principal, action == Action::"reveal", resource == Label::"pii.email");';
    expect(verdictOf(reveal, [filter("pattern"), order("sort"), copy("file")])).toMatchObject({
      kind: "allow",
      uses: [],
    });
  });

  test("a token's scope must hold the action too", () => {
    const scoped = (scope: string[]) => verdictOf(`${FILTER};`, [filter("equality")], { as: session({ scope }) });
    expect(scoped(["sql:read", "filter"])).toMatchObject({ kind: "allow" });
    expect(scoped(["sql:read"])).toMatchObject({
      kind: "deny",
      reason: expect.stringContaining("filter on label pii.email"),
      advice: "Get a token whose scope has filter.",
    });
  });

  test("one that depends on the time is asked again", () => {
    const until = `${FILTER} when { context.now <= ${NOW} };`;
    const decider = createDecider(bundleOf(CONNECT_ALL + READ + until, { labels }));
    const asked = { ...command("sql:select"), uses: [filter("equality")] };
    expect(decider.decide(asked, session(), NOW)).toMatchObject({ kind: "allow" });
    expect(decider.decide(asked, session(), NOW + 1)).toMatchObject({ kind: "deny" });
    decider.dispose();
  });
});

describe("what is held for a person", () => {
  const held = '@approval permit(principal, action == Action::"sql:do", resource);';
  const holds = (...uses: ColumnUse[]) => {
    const decider = createDecider(bundleOf(CONNECT_ALL + READ + held, { labels }));
    const verdict = decider.decide({ ...command(operation("sql:do")), uses }, session(), NOW);
    decider.dispose();
    return verdict;
  };

  test("is code that a person reads", () => expect(holds(copy(ANYWHERE, [], null))).toMatchObject({ kind: "hold" }));
  test("is not a label's use", () => expect(holds(filter("pattern"))).toMatchObject({ kind: "deny" }));
});

test("equal uses are one question, unlabelled ones none", () => {
  const decider = createDecider(bundleOf(CONNECT_ALL + READ, { labels }));
  const decide = (...uses: ColumnUse[]) => decider.decide({ ...command("sql:select"), uses }, session(), NOW);
  expect(decide(filter("pattern", { column: name }))).toBe(decide());
  expect(decide(filter("pattern"))).toBe(decide(filter("pattern")));
  expect(decide(filter("pattern"))).not.toBe(decide(filter("range")));
  decider.dispose();
});
