import fc from "fast-check";
import { SQL_ACTIONS, type Verdict } from "#commands";
import { engine } from "./cedar.js";
import { createDecider } from "./decider.js";
import { bundleOf, CONNECT_ALL, command, label, operation, session } from "./decisions.fixture.js";
import { CEDAR_SCHEMA } from "./schema.js";

const leaf = fc.constantFrom(
  "sql:select",
  "sql:insert",
  "sql:delete",
  "sql:alter_table",
  "sql:session",
  "sql:call",
  "sql:do",
);
const actionScope = fc.oneof(
  fc.constant("action"),
  leaf.map((name) => `action == Action::"${name}"`),
  fc.constantFrom(...Object.keys(SQL_ACTIONS), "sql:any").map((name) => `action in Action::"${name}"`),
  fc.tuple(leaf, leaf).map(([a, b]) => `action in [Action::"${a}", Action::"${b}"]`),
  fc.constantFrom('action == Action::"reveal"', 'action == Action::"connect"'),
);
const principalScope = fc.constantFrom(
  "principal",
  'principal in Group::"ci"',
  'principal == Agent::"github|job-1"',
  'principal is Agent in Group::"dba"',
);
const resourceScope = fc.constantFrom(
  "resource",
  'resource == Resource::"shop"',
  'resource in Resource::"other"',
  "resource is Resource",
  'resource in Label::"pii"',
  'resource is Label in Label::"pii.email"',
);
const condition = fc.constantFrom(
  "",
  "when { context.now < 1000 }",
  'unless { context.run == "run-1" }',
  "when { context has bounded && context.bounded }",
  "when { context.now + 9223372036854775000 > 0 }",
  'when { principal in Group::"dba" }',
);
const rule = (effect: fc.Arbitrary<string>) =>
  fc
    .tuple(effect, principalScope, actionScope, resourceScope, condition)
    .map(([e, p, a, r, c]) => `${e}(${p}, ${a}, ${r}) ${c};\n`);
const permit = rule(fc.constant("permit"));
const forbid = rule(fc.constant("forbid"));
const held = fc
  .tuple(
    principalScope,
    fc.constantFrom("sql:ddl", "sql:any", "sql:write"),
    fc.constantFrom('("dba")', ""),
    fc.integer({ min: 1, max: 3 }),
  )
  .map(
    ([p, group, who, n]) => `@approval${who} @quorum("${n}") permit(${p}, action in Action::"${group}", resource);\n`,
  );
const policies = fc.array(fc.oneof({ weight: 4, arbitrary: permit }, forbid, held), { maxLength: 6 });

const asked = fc
  .array(fc.tuple(leaf, fc.boolean()), { minLength: 1, maxLength: 3 })
  .map((operations) => command(...operations.map(([action, bounded]) => operation(action, { bounded }))));
const who = fc
  .record({
    resource: fc.constantFrom("shop", "other"),
    groups: fc.subarray(["ci", "dba"]),
    scope: fc.constantFrom([], ["sql:read"], ["sql:any", "reveal"]),
  })
  .map(({ groups, ...over }) => session(over, groups));
const time = fc.constantFrom(1, 2_000);
const labels = [label("pii.email"), label("secret"), label("pii", "other")];

function verdict(text: string, ...question: Parameters<ReturnType<typeof createDecider>["decide"]>): Verdict {
  const decider = createDecider(bundleOf(text, { labels }));
  try {
    return decider.decide(...question);
  } finally {
    decider.dispose();
  }
}

const BADNESS = { allow: 0, hold: 1, deny: 2 };
const labelsMasked = (given: Verdict) => (given.kind === "deny" ? [] : given.masked.map((mask) => mask.label));

test("the cache never changes a verdict", () => {
  fc.assert(
    fc.property(policies, fc.array(fc.tuple(asked, who, time), { minLength: 2, maxLength: 6 }), (rules, questions) => {
      const text = CONNECT_ALL + rules.join("");
      const decider = createDecider(bundleOf(text, { labels }));
      for (const question of [...questions, ...questions.toReversed()]) {
        expect(decider.decide(...question)).toEqual(verdict(text, ...question));
      }
      decider.dispose();
    }),
    { numRuns: 60 },
  );
});

test("a forbid of everything wins over whatever else there is", () => {
  fc.assert(
    fc.property(policies, asked, who, time, (rules, ...question) => {
      expect(verdict(`${CONNECT_ALL + rules.join("")}forbid(principal, action, resource);`, ...question).kind).toBe(
        "deny",
      );
    }),
    { numRuns: 60 },
  );
});

test("one more forbid never makes a verdict milder or shows a label", () => {
  fc.assert(
    fc.property(policies, forbid, asked, who, time, (rules, added, ...question) => {
      const before = verdict(CONNECT_ALL + rules.join(""), ...question);
      const after = verdict(CONNECT_ALL + rules.join("") + added, ...question);
      expect(BADNESS[after.kind]).toBeGreaterThanOrEqual(BADNESS[before.kind]);
      if (after.kind !== "deny") expect(labelsMasked(after)).toEqual(expect.arrayContaining([...labelsMasked(before)]));
    }),
    { numRuns: 120 },
  );
});

test("one more permit that evaluates never makes an allow anything else, nor hides a label", () => {
  const evaluates = permit.filter((text) => !text.includes("9223372036854775000"));
  fc.assert(
    fc.property(policies, fc.oneof(evaluates, held), asked, who, time, (rules, added, ...question) => {
      const before = verdict(CONNECT_ALL + rules.join(""), ...question);
      const after = verdict(CONNECT_ALL + rules.join("") + added, ...question);
      if (before.kind !== "allow") return;
      expect(after.kind).toBe("allow");
      expect(labelsMasked(before)).toEqual(expect.arrayContaining([...labelsMasked(after)]));
    }),
    { numRuns: 120 },
  );
});

test("partitions never lose a policy: Cedar asked about the whole bundle agrees", () => {
  fc.assert(
    fc.property(
      policies,
      leaf,
      fc.boolean(),
      fc.subarray(["ci", "dba"]),
      time,
      (rules, action, bounded, groups, now) => {
        const text = CONNECT_ALL + rules.join("");
        const whole = engine.run((cedar) =>
          cedar.isAuthorized({
            principal: { type: "Agent", id: "github|job-1" },
            action: { type: "Action", id: action },
            resource: { type: "Resource", id: "shop" },
            context: {
              tables_read: [],
              tables_written: [],
              columns_read: [],
              columns_written: [],
              targets: 0,
              functions: [],
              functions_volatile: [],
              functions_user_defined: [],
              functions_definer: [],
              functions_unread: [],
              triggers: [],
              bounded,
              statement_count: 1,
              run: "run-1",
              client_address: "127.0.0.1",
              on_behalf_of: ["ann"],
              now,
            },
            schema: CEDAR_SCHEMA,
            validateRequest: true,
            policies: { staticPolicies: text },
            entities: [
              {
                uid: { type: "Agent", id: "github|job-1" },
                attrs: { issuer: "github", subject: "job-1", name: "Job 1" },
                parents: groups.map((id) => ({ type: "Group", id })),
              },
              { uid: { type: "Resource", id: "shop" }, attrs: { protocol: "postgres" }, parents: [] },
            ],
          }),
        );
        if (whole.type === "failure") throw new Error(whole.errors[0]?.message);
        const question = [command(operation(action, { bounded })), session({}, groups), now] as const;
        const ours = verdict(text, ...question);
        const connects = verdict(text, command(), ...([question[1], question[2]] as const)).kind === "allow";
        const { decision, diagnostics } = whole.response;
        if (!connects || diagnostics.errors.length > 0) expect(ours.kind).toBe("deny");
        else if (decision === "allow") expect(ours.kind).not.toBe("deny");
        else expect(ours.kind).toBe(action === "sql:session" && diagnostics.reason.length === 0 ? "allow" : "deny");
      },
    ),
    { numRuns: 150 },
  );
});
