import { CedarFailure, engine } from "./cedar.js";
import { createDecider } from "./decider.js";
import { bundleOf, CONNECT_ALL, command, operation, session } from "./decisions.fixture.js";
import { Lru } from "./lru.js";

type Cedar = typeof import("@cedar-policy/cedar-wasm/nodejs");

/** Tells of each call of one of the engine's functions while `run` runs. */
function watchingEngine<K extends "preparsePolicySet" | "statefulIsAuthorized">(
  called: K,
  tell: (...given: Parameters<Cedar[K]>) => void,
  run: () => void,
): void {
  const original = engine.run.bind(engine);
  const watched = (cedar: Cedar, name: string | symbol) => {
    const method = cedar[name as K] as (...given: Parameters<Cedar[K]>) => unknown;
    if (name !== called) return method;
    return (...given: Parameters<Cedar[K]>) => {
      tell(...given);
      return method(...given);
    };
  };
  engine.run = (use) => original((cedar) => use(new Proxy(cedar, { get: watched })));
  try {
    run();
  } finally {
    engine.run = original;
  }
}

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
  const timed = `${READS} forbid(principal, action == Action::"sql:select", resource) when { context.now < 0 };`;
  const decider = createDecider(bundleOf(timed));
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
  watchingEngine(
    "preparsePolicySet",
    (_id, { staticPolicies }) => prepared.push(Object.keys(staticPolicies!).length),
    () => {
      expect(decider.decide(command("sql:select"), session(), 1).kind).toBe("allow");
      expect(decider.decide(command("sql:show"), session(), 1).kind).toBe("allow");
    },
  );
  decider.dispose();
  // One for connect, one that both reads share.
  expect(prepared).toEqual([1, 1]);
});

test("what differs only where no policy looks is not asked again, and is told apart where one does", () => {
  const about = (columnsRead: readonly string[], tablesRead = ["public.orders"]) =>
    command(operation("sql:select", { tablesRead, columnsRead }));
  const closed =
    'forbid(principal, action in Action::"sql:read", resource) when { context.tables_read.contains("public.pay") };';
  const decider = createDecider(bundleOf(READS + closed));
  const told: object[] = [];
  watchingEngine(
    "statefulIsAuthorized",
    ({ context }) => told.push(context),
    () => {
      const who = session();
      expect(decider.decide(about(["public.orders.id"]), who, 1).kind).toBe("allow");
      expect(decider.decide({ ...about(["public.orders.note"]), statementCount: 2 }, who, 2).kind).toBe("allow");
      expect(decider.decide(about(["public.orders.id"], ["public.pay"]), who, 3).kind).toBe("deny");
    },
  );
  decider.dispose();
  expect(told).toEqual([{}, { tables_read: ["public.orders"] }, { tables_read: ["public.pay"] }]);
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
