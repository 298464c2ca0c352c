/**
 * Drivers of other languages, each by a program of its own whose transcript is compared. `npm run compat -- --all`
 * installs them; without it they are skipped by name.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { libpq, run } from "./programs.js";
import { sameEachWay } from "./same.js";
import { normalised, openWays, type Way, type Ways } from "./ways.js";

interface Language {
  readonly language: string;
  readonly programs: Readonly<Record<string, readonly [string, ...string[]]>>;
}
const LANGUAGES: Language[] = JSON.parse(readFileSync(join(import.meta.dirname, "drivers", "drivers.json"), "utf8"));
/** Where scripts/compat.mjs has installed them. */
const installed = process.env.COUNTERFOIL_COMPAT_DRIVERS ?? "";

let ways: Ways;
beforeAll(async () => {
  if (installed) ways = await openWays();
});
afterAll(async () => {
  await ways?.close();
});

/** What a program said; what of it must differ is left out. */
async function transcript(way: Way, folder: string, [program, ...args]: readonly [string, ...string[]]) {
  // Go's drivers do not know it.
  const { PGGSSENCMODE: _, ...env } = libpq(way.connection, way.ca);
  const command = program.includes("/") ? join(folder, program) : program;
  const { code, out, err } = await run(command, args, { env, cwd: folder });
  return { code, out: normalised(out, way).split("\n"), err: normalised(err, way).split("\n") };
}

for (const { language, programs } of LANGUAGES) {
  const folder = join(installed, language);
  const there = installed !== "" && existsSync(join(folder, ".installed"));
  describe(language, () => {
    for (const [name, program] of Object.entries(programs)) {
      (there ? test : test.skip)(there ? name : `${name}: not installed`, async () => {
        const { code, out, err } = await sameEachWay(ways.all, (way) => transcript(way, folder, program));
        expect({ code, err }).toEqual({ code: 0, err: expect.anything() });
        expect(out.length).toBeGreaterThan(10);
      });
    }
  });
}
