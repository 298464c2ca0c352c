import { freshSession, parseSearchPath } from "./search-path.js";

test.each([
  ["", []],
  ["public", ["public"]],
  [' Side , "Mixed Case","a""b" ,$user', ["side", "Mixed Case", 'a"b', "$user"]],
])("%j", (text, path) => expect(parseSearchPath(text)).toEqual(path));

test.each([",", "a b", "a,", '"open', "a,,b"])("%j is refused", (text) => expect(parseSearchPath(text)).toBeNull());

test("a fresh session is what the server says, unless what runs at a login could set it", () => {
  const routine = (oid: string, body: string) =>
    ({ oid, name: `f${oid}`, body, kind: "f", language: "plpgsql", userDefined: true }) as never;
  const rows = {
    schemas: [{ name: "app", usable: true }],
    functions: [
      routine("1", "begin insert into logins values (now()); end"),
      routine("2", "begin perform set_config('search_path', 'app', false); end"),
    ],
  };
  const fresh = (...logins: string[]) => freshSession({ path: "app, gone", role: "r", user: "u", logins }, rows);
  expect(fresh("1")).toEqual({ role: "r", user: "u", searchPath: ["app"] });
  expect(fresh("1", "2")).toEqual({ role: null, user: null, searchPath: null });
});
