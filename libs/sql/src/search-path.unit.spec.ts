import { parseSearchPath } from "./search-path.js";

test.each([
  ["", []],
  ["public", ["public"]],
  [' Side , "Mixed Case","a""b" ,$user', ["side", "Mixed Case", 'a"b', "$user"]],
])("%j", (text, path) => expect(parseSearchPath(text)).toEqual(path));

test.each([",", "a b", "a,", '"open', "a,,b"])("%j is refused", (text) => expect(parseSearchPath(text)).toBeNull());
