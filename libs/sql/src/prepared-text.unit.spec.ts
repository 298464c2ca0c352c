import { preparedText } from "./prepared-text.js";

test.each([
  ["prepare x as select 1", "select 1"],
  ["PREPARE x(int) AS\n\tselect $1 as y ", "select $1 as y"],
  ['prepare "x as y" as select 1', "select 1"],
  ['prepare "a""as" as select 1', "select 1"],
  ['prepare U&"\\0061 as" as select 1', "select 1"],
  ["prepare /* as select 2 */ x -- as select 3\n as select 1", "select 1"],
  ["prepare /* /* as */ as select 2 */ x as select 1", "select 1"],
  ['prepare x (numeric(1, 2), "as") as select 1', "select 1"],
  ["prepare basis as select 1", "select 1"],
  ["prepare x", null],
])("%s", (text, expected) => expect(preparedText(text)).toBe(expected));
