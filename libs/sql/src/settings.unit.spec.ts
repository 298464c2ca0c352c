import { settingEffect } from "./settings.js";

test.each([
  ["timezone", ["UTC"], "sql:session"],
  ["TimeZone", null, "sql:session"],
  ["enable_seqscan", ["off"], "sql:session"],
  ["standard_conforming_strings", ["on"], "sql:session"],
  ["standard_conforming_strings", null, "sql:session"],
  ["client_encoding", ["UTF8"], "sql:session"],
  ["synchronize_seqscans", ["off"], "sql:session"],
  ["row_security", ["off"], "sql:session"],
  ["row_security", ["x"], "sql:set"],
  ["session_replication_role", ["replica"], "sql:set"],
  ["role", ["x"], "sql:set_role"],
  ["ROLE", null, "sql:set_role"],
  ["session_authorization", ["x"], "sql:set_role"],
  ["app.tenant", ["1"], "sql:set"],
  ["shared_preload_libraries", ["x"], "sql:set"],
  ["a_setting_of_the_future", ["1"], "sql:set"],
])("%s = %j is %s", (name, values, action) => {
  expect(settingEffect(name, values).action).toBe(action);
});

test("what the server plans by is said, unless it is taken back", () => {
  expect(settingEffect("Enable_MergeJoin", ["off"])).toEqual({ action: "sql:session", plans: true });
  expect(settingEffect("work_mem", [undefined])).toEqual({ action: "sql:session", plans: true });
  expect(settingEffect("work_mem", null)).toEqual({ action: "sql:session" });
  expect(settingEffect("jit", ["off"])).toEqual({ action: "sql:session" });
});

test("the search path is a setting of its own", () => {
  expect(settingEffect("search_path", ["a", "$user"])).toEqual({ action: "sql:session", searchPath: ["a", "$user"] });
  expect(settingEffect("search_path", [""])).toEqual({ action: "sql:session", searchPath: [] });
  expect(settingEffect("search_path", null)).toEqual({ action: "sql:session", searchPath: null });
  expect(settingEffect("search_path", [undefined])).toEqual({ action: "sql:set", unsettles: true });
});

test.each([
  ["standard_conforming_strings", "off"],
  ["Standard_Conforming_Strings", "of"],
  ["client_encoding", "SJIS"],
  ["transform_null_equals", "on"],
  ["transform_null_equals", undefined],
])("%s = %s is refused, whoever asks", (name, value) => {
  expect(settingEffect(name, [value]).refused).toMatch(/would read statements otherwise/);
  expect(settingEffect(name, null).refused).toBeUndefined();
});
