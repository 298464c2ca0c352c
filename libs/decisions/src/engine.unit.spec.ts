import { CedarFailure, engine } from "./cedar.js";
import { createDecider } from "./decider.js";
import { bundleOf, CONNECT_ALL, command, session } from "./decisions.fixture.js";
import { Lru } from "./lru.js";

const READS = `${CONNECT_ALL}permit(principal, action in Action::"sql:read", resource);`;

test("a broken engine is replaced, and deciders go on with the next command", () => {
  const decider = createDecider(bundleOf(READS));
  expect(decider.decide(command("sql:select"), session(), 1).kind).toBe("allow");
  const overflow = () =>
    engine.run((cedar) =>
      cedar.policyToJson(`permit(principal, action, resource) when { ${"[".repeat(500)}${"]".repeat(500)} == [] };`),
    );
  expect(overflow).toThrow(CedarFailure);
  expect(decider.decide(command("sql:show"), session(), 1).kind).toBe("allow");
  decider.dispose();
});

test("an engine that fails on a decision denies it, and does not remember that", () => {
  const decider = createDecider(bundleOf(READS));
  const broken = Object.assign(session(), {
    principal: {
      ...session().principal,
      get run(): string {
        throw new Error("unreadable");
      },
    },
  });
  expect(() => decider.decide(command("sql:select"), broken, 1)).toThrow("unreadable");
  expect(decider.decide(command("sql:select"), session(), Number.NaN)).toMatchObject({ kind: "deny" });
  expect(decider.decide(command("sql:select"), session(), 1).kind).toBe("allow");
  decider.dispose();
});

test("thousands of bundles one after another leave memory as it was", () => {
  const swap = (epoch: number) => {
    const decider = createDecider(bundleOf(READS, { epoch }));
    if (decider.decide(command("sql:select"), session(), 1).kind !== "allow") throw new Error("not allowed");
    decider.dispose();
  };
  for (let epoch = 1; epoch <= 500; epoch++) swap(epoch);
  const slot = engine.takeSlot();
  engine.returnSlot(slot);
  const before = process.memoryUsage().rss;
  for (let epoch = 501; epoch <= 3_500; epoch++) swap(epoch);
  expect(engine.takeSlot()).toBe(slot);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
}, 120_000);

test("a thousand policies: a question meets only those that can match it", () => {
  const texts = Array.from(
    { length: 1_000 },
    (_, n) =>
      `permit(principal in Group::"g${n}", action == Action::"sql:${n % 2 ? "insert" : "delete"}", resource == Resource::"r${n}");`,
  );
  const decider = createDecider(
    bundleOf("", { policies: [READS, texts.join("\n")].map((text, n) => ({ name: `d${n}`, text })) }),
  );
  const prepared: number[] = [];
  const original = engine.run.bind(engine);
  engine.run = (use) =>
    original((cedar) =>
      use(
        new Proxy(cedar, {
          get: (target, name) =>
            name === "preparsePolicySet"
              ? (id: string, set: { staticPolicies: object }) => {
                  prepared.push(Object.keys(set.staticPolicies).length);
                  return target.preparsePolicySet(id, set as never);
                }
              : target[name as keyof typeof target],
        }),
      ),
    );
  try {
    expect(decider.decide(command("sql:select"), session(), 1).kind).toBe("allow");
    expect(decider.decide(command("sql:show"), session(), 1).kind).toBe("allow");
  } finally {
    engine.run = original;
    decider.dispose();
  }
  // One for connect, one that both reads share.
  expect(prepared).toEqual([1, 1]);
});

test("an LRU forgets what was used longest ago and says so", () => {
  const gone: number[] = [];
  const lru = new Lru<string, number>(2, (value) => gone.push(value));
  lru.set("a", 1);
  lru.set("b", 2);
  expect(lru.get("a")).toBe(1);
  lru.set("c", 3);
  lru.set("c", 4);
  expect([lru.get("a"), lru.get("b"), lru.get("c"), lru.size]).toEqual([1, undefined, 4, 2]);
  expect(gone).toEqual([2]);
  lru.clear();
  expect(gone).toEqual([2, 1, 4]);
});
