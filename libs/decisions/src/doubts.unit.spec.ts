import { policyDoubts } from "./doubts.js";

const KNOWN = {
  resources: new Set(["shop"]),
  labels: new Set(["pii.email", "pii.name", "secret"]),
  groups: new Set(["ci"]),
};

test.each([
  ['permit (principal, action == Action::"connect", resource == Resource::"shop");'],
  ['permit (principal, action == Action::"reveal", resource in Label::"pii");'],
  [
    'permit (principal, action == Action::"reveal", resource == Label::"secret") when { context.resource == Resource::"shop" };',
  ],
  ['permit (principal, action == Action::"filter", resource) when { context.use == "equality" };'],
  [
    'permit (principal, action in [Action::"filter", Action::"order"], resource) when { ["join", "sort"].contains(context.use) };',
  ],
  ['@max_rows("1") permit (principal, action in Action::"sql:read", resource);'],
  ["permit (principal, action, resource);"],
  ['permit (principal in Group::"ci", action, resource);'],
])("nothing is doubted of %s", (text) => expect(policyDoubts(text, KNOWN)).toEqual([]));

test.each([
  [
    'permit (principal, action == Action::"connect", resource == Resource::"shopp");',
    1,
    61,
    "there is no resource shopp",
  ],
  [
    '// é\npermit (principal, action == Action::"reveal", resource == Label::"pii.mail");',
    2,
    60,
    "there is no label pii.mail",
  ],
  ['permit (principal in Group::"cj", action, resource);', 1, 22, "in a group cj"],
  ['forbid (principal, action, resource) unless { principal in Group::"dba" };', 1, 60, "in a group dba"],
  ['permit (principal, action == Action::"reveal", resource in Label::"pi");', 1, 60, "a family pi:"],
  ['permit (principal, action == Action::"reveal", resource) when { resource == Label::"x" };', 1, 77, "no label x"],
  [
    'forbid (principal, action, resource) unless { context.now > 1 && resource in [Resource::"a"] };',
    1,
    79,
    "no resource a",
  ],
  [
    'permit (principal, action == Action::"filter", resource) when { context.use == "sort" };',
    1,
    80,
    'of filter is never "sort"',
  ],
  [
    'permit (principal, action == Action::"order", resource) when { ["group", "join"].contains(context.use) };',
    1,
    74,
    'never "join"',
  ],
  [
    'permit (principal, action in [Action::"sql:select", Action::"reveal"], resource == Resource::"shop");',
    1,
    53,
    'Action::"reveal" is done to a Label, not to a Resource',
  ],
  ['@max_rows("0")\npermit (principal, action in Action::"sql:read", resource);', 1, 1, "lets no row through"],
])("%s", (text, line, column, message) => {
  expect(policyDoubts(text, KNOWN)).toEqual([{ line, column, message: expect.stringContaining(message) }]);
});

test("any group may be, where an issuer's tokens say which there are", () =>
  expect(policyDoubts('permit (principal in Group::"x", action, resource);', { ...KNOWN, groups: null })).toEqual([]));
