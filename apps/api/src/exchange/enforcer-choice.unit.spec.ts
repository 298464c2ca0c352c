import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { identityV1 } from "#contracts";
import { chooseListener } from "./enforcer-choice.js";

const NOW = 1_000_000;
const enforcer = (host: string, seenSecondsAgo: number | null, more: object = {}) =>
  create(identityV1.EnforcerSchema, {
    listeners: [{ protocol: "postgres", host, port: 7432 }],
    ...(seenSecondsAgo === null ? {} : { seenAt: timestampFromMs(NOW - seenSecondsAgo * 1000) }),
    ...more,
  });
const chosen = (draw: number, ...enforcers: identityV1.Enforcer[]) =>
  chooseListener(enforcers, "postgres", NOW, draw)?.host;

test("recently seen ones share the agents", () => {
  const nodes = [enforcer("a", 1), enforcer("b", 20), enforcer("old", 3600), enforcer("never", null)];
  expect([0, 0.49, 0.5, 0.999].map((draw) => chosen(draw, ...nodes))).toEqual(["a", "a", "b", "b"]);
});

test("with none recently seen, it is the one seen last", () => {
  expect(chosen(0.9, enforcer("never", null), enforcer("older", 900), enforcer("old", 60))).toBe("old");
  expect(chosen(0.9, enforcer("never", null))).toBe("never");
});

test("removed ones, and ones without such a listener, are none", () => {
  expect(chosen(0, enforcer("a", 1, { removed: true }))).toBeUndefined();
  expect(chosen(0, enforcer("a", 1, { listeners: [{ protocol: "redis", host: "a", port: 1 }] }))).toBeUndefined();
  expect(chosen(0)).toBeUndefined();
});
