import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const engine = new URL("cedar.ts", import.meta.url).href;
const loader = pathToFileURL(`${root}test/typescript.mjs`).href;

/** (module (import "e" "cb" (func)) (func (export "f") (param i32) (result externref) call 0 ref.null extern)) */
const MODULE = "0061736d0100000001090260000060017f016f0208010165026362000003020101070501016600010a080106001000d06f0b";

/** Makes V8 inline a call that gives an object, and gives the caller up during such a call. */
const GIVEN_UP = `
  let now = false;
  class Called { get() { return 1; } }
  const called = new Called();
  const cb = () => { if (now) Called.prototype.get = () => 2; };
  const { instance } = await WebAssembly.instantiate(Buffer.from("${MODULE}", "hex"), { e: { cb } });
  const { f } = instance.exports;
  const hot = (i) => [f(i), called.get()];
  for (let i = 0; i < 300_000; i++) hot(i & 7);
  now = true;
  process.stdout.write(JSON.stringify(hot(1)));
`;

test("a process that has loaded the engine survives what ends one that has not", () => {
  const loaded = `import { engine } from ${JSON.stringify(engine)}; engine.run((cedar) => cedar.getCedarVersion());`;
  const options = ["--no-warnings", "--import", loader, "--input-type=module", "--eval"];
  const said = execFileSync(process.execPath, [...options, loaded + GIVEN_UP], { cwd: root, encoding: "utf8" });
  expect(said).toBe("[null,2]");

  const without = spawnSync(process.execPath, [...options, GIVEN_UP], { cwd: root, encoding: "utf8" });
  const fixed = Number.parseInt(process.versions.v8, 10) >= 13;
  expect(without.stdout).toBe(fixed ? "[null,2]" : "");
});
