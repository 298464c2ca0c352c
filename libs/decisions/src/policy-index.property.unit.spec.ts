import type { Context } from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { engine } from "./cedar.js";
import { readDocument } from "./document.js";
import { PolicyIndex, type Question } from "./policy-index.js";
import { groupsOf } from "./schema.js";

/** Every way to come by what is told besides who, what and on what; ill-typed ones too: then the policy fails. */
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      ...["true", "1", '"run-1"', '["public.orders"]', "context", "principal", "resource", 'Agent::"github|job-1"'],
      ...["context.run", 'context["statement_count"]', "context.bounded", "context.tables_read", "context.now"],
      ...["context has row_limit", 'context has "run"', "context has nothing", "context.row_limit", "context.resource"],
      ...["context has resource.protocol", "context.resource.protocol", "{ a: context }.a.bounded", "{ Var: 1 }"],
      ...['{ ".": context, has: 1 }', "principal.name", "principal has subject", "resource.protocol"],
      ...['Agent::"github|job-1".issuer', 'Resource::"shop" has protocol', 'principal.hasTag("a")'],
      ...['principal in Group::"ci"', 'resource in Label::"pii"', "principal is Agent", 'context.run like "run-*"'],
    ),
    fc
      .tuple(tie("expression"), fc.constantFrom("==", "!=", "&&", "||", "<", "+", "in"), tie("expression"))
      .map(([a, operator, b]) => `(${a}) ${operator} (${b})`),
    fc
      .tuple(tie("expression"), fc.constantFrom("contains", "containsAny", "getTag"), tie("expression"))
      .map(([a, method, b]) => `(${a}).${method}(${b})`),
    fc
      .tuple(tie("expression"), tie("expression"), tie("expression"))
      .map(([a, b, c]) => `if ${a} then (${b}) else (${c})`),
    fc
      .tuple(tie("expression"), fc.constantFrom("bounded", "protocol", "a"))
      .map(([a, attribute]) => `(${a}).${attribute}`),
    tie("expression").map((a) => `!(${a})`),
    fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `[${a}, ${b}]`),
  ),
}));
const policy = fc
  .record({
    effect: fc.constantFrom("permit", "forbid"),
    principal: fc.constantFrom("principal", 'principal in Group::"ci"', 'principal == Agent::"github|job-1"'),
    action: fc.constantFrom("action", 'action in Action::"sql:read"', 'action == Action::"sql:select"'),
    resource: fc.constantFrom("resource", 'resource == Resource::"shop"', 'resource in Label::"pii"'),
    asks: fc.constantFrom("when", "unless"),
    expression,
  })
  .map((p) => `${p.effect}(${p.principal}, ${p.action}, ${p.resource}) ${p.asks} { ${p.expression} };`);

const context = fc.record(
  {
    run: fc.constantFrom("run-1", "other"),
    statement_count: fc.constantFrom(1, 2),
    bounded: fc.boolean(),
    tables_read: fc.constantFrom([], ["public.orders"]),
    now: fc.constantFrom(1, 2),
    row_limit: fc.constantFrom(1, 5),
    resource: fc.constantFrom("shop", "other").map((id) => ({ __entity: { type: "Resource", id } })),
  },
  { requiredKeys: ["run", "statement_count", "bounded", "tables_read", "now"] },
) satisfies fc.Arbitrary<Context>;
const question: fc.Arbitrary<Question> = fc
  .record({
    id: fc.constantFrom("github|job-1", "github|job-2"),
    name: fc.constantFrom("Job", "Jobs"),
    groups: fc.subarray(["ci", "dba"]),
    action: fc.constantFrom("sql:select", "sql:insert", "reveal"),
    protocol: fc.constantFrom("postgresql", "other"),
    context,
  })
  .map(({ id, name, groups, action, protocol, ...rest }) => {
    const principal = { type: "Agent", id };
    const label = { type: "Label", id: "pii.email" };
    const shop = { uid: { type: "Resource", id: "shop" }, attrs: { protocol }, parents: [] };
    const parents = [{ type: "Label", id: "pii" }];
    const targets = action === "reveal" ? [{ uid: label, attrs: {}, parents }, shop] : [shop];
    return {
      ...{ principal, action, target: targets[0]!.uid, targetParents: targets[0]!.parents },
      entities: [
        {
          uid: principal,
          attrs: { issuer: "github", subject: id, name },
          parents: groups.map((group) => ({ type: "Group", id: group })),
        },
        ...targets,
      ],
      ...rest,
    };
  });

const byName = (ids: readonly string[]) => [...ids].sort();

const WHOLE = "all policies of the document";

function prepareWhole(documents: string): void {
  const policies = readDocument("rules", documents).policies.map(({ id, source }) => [id, source.text]);
  engine.run((cedar) => cedar.preparsePolicySet(WHOLE, { staticPolicies: Object.fromEntries(policies) }));
}

/** What Cedar says that is told everything, of all policies at once. */
function wholeAnswer({ principal, action, target, entities, context }: Question) {
  const parents = groupsOf(action)!.map((id) => ({ type: "Action", id }));
  const answer = engine.run((cedar) =>
    cedar.statefulIsAuthorized({
      ...{ principal, context, action: { type: "Action", id: action }, resource: target },
      entities: [...entities, { uid: { type: "Action", id: action }, attrs: {}, parents }],
      preparsedPolicySetId: WHOLE,
    }),
  );
  if (answer.type === "failure") throw new Error(answer.errors[0]?.message);
  const { reason, errors } = answer.response.diagnostics;
  return { matched: byName(reason), failed: byName(errors.map(({ policyId }) => policyId)) };
}

function expectAsWhole(text: string, questions: readonly Question[]): void {
  prepareWhole(text);
  const index = new PolicyIndex([{ name: "rules", text }]);
  for (const asked of [...questions, ...questions]) {
    const { permits, forbids, failed } = index.ask(asked);
    expect({
      matched: byName([...permits, ...forbids].map(({ id }) => id)),
      failed: byName(failed.map((each) => each.policy)),
    }).toEqual(wholeAnswer(asked));
  }
  index.dispose();
}

test("what the engine is not told, and what it is not asked again, changes no answer", () => {
  const documents = fc.array(policy, { minLength: 1, maxLength: 4 }).map((policies) => policies.join("\n"));
  fc.assert(
    fc.property(documents, fc.array(question, { minLength: 2, maxLength: 6 }), (text, questions) => {
      fc.pre(readDocument("rules", text).problems.length === 0);
      expectAsWhole(text, questions);
    }),
    { numRuns: 400 },
  );
});

test("a path from the context looks at the entity it goes through", () => {
  const uid = { type: "Resource", id: "shop" };
  const agent = { type: "Agent", id: "github|job-1" };
  expectAsWhole("forbid(principal, action, resource) when { context has resource.protocol };", [
    {
      ...{ principal: agent, action: "sql:select", target: uid, targetParents: [] },
      entities: [{ uid, attrs: { protocol: "postgresql" }, parents: [] }],
      context: { resource: { __entity: uid } },
    },
  ]);
});
