/**
 * The bypass list, through a whole enforcer and against a real PostgreSQL, in each way a client can ask. Every way is
 * first shown to work without the enforcer: what is forbidden is done, what is labelled is found in the bytes received.
 */
import type { Bypass, Forbidden } from "../../../libs/sql/src/bypasses/bypass.fixture.js";
import {
  FORBIDDEN,
  ORDINARY,
  REFUSED,
  SHOWN,
  SHOWN_BY_OTHERS,
  STORED,
} from "../../../libs/sql/src/bypasses/bypasses.fixture.js";
import {
  ANY,
  type Answer,
  type BypassWorld,
  bypassWorld,
  type Mode,
  NARROW,
  SHOWS,
  Tapped,
  WIDE,
} from "./bypass-world.fixture.js";
import { WIRE_BYPASSES } from "./wire-bypasses/wire-bypasses.fixture.js";

/** For hundreds of statements a test, on a busy machine. */
const PATIENCE = 300_000;

const MODES: readonly Mode[] = ["simple", "extended", "binary"];
const DENIED = "42501";
/** A zero byte is not what the protocol says, and ends the session; what is no SQL is refused in the server's words. */
const NO_STATEMENT = ["08P01", "42601"];

let shop: BypassWorld;
let version: number;
beforeAll(async () => {
  shop = await bypassWorld();
  const [row] = (await shop.world.direct("select current_setting('server_version_num')::int / 10000 as major")).rows;
  version = row.major;
}, 120_000);
afterAll(() => shop?.drop());

const known = <Case extends Bypass>(cases: readonly Case[]) => cases.filter(({ since = 0 }) => since <= version);
const told = ({ why, steps }: Bypass, ...more: unknown[]) => [why, ...steps, ...more].join("\n    ").slice(0, 600);

/** Its steps, and then everything undone that can be. */
async function run(by: Tapped, { steps, apart, values }: Bypass, mode: Mode): Promise<Answer[]> {
  if (apart) await by.run("begin", "simple");
  const answers: Answer[] = [];
  for (const step of steps) answers.push(await by.run(step, mode, values));
  if (by.stream.readable) await by.run("rollback", "simple");
  if (!apart) await by.run("discard all", "simple");
  return answers;
}
const shown = (answers: readonly Answer[]) => SHOWS.test(answers.map(({ bytes }) => bytes).join(""));

/** What is wrong with each, all of them tried. */
async function wrong<Case>(cases: readonly Case[], look: (given: Case) => Promise<string | null>): Promise<string[]> {
  const found: string[] = [];
  for (const given of cases) {
    const failure = await look(given);
    if (failure !== null) found.push(failure);
  }
  return found;
}

test("the list is long, and names no way twice", () => {
  expect(FORBIDDEN.length + SHOWN.length + STORED.length + WIRE_BYPASSES.length).toBeGreaterThan(400);
  expect(ORDINARY.length).toBeGreaterThan(80);
  const texts = [...FORBIDDEN, ...SHOWN, ...STORED, ...ORDINARY].map(({ steps }) => steps.join("\n"));
  expect(texts.filter((text, at) => texts.indexOf(text) !== at)).toEqual([]);
});

describe("what is labelled", () => {
  test(
    "is shown by every listed way, without the enforcer",
    async () => {
      const direct = await shop.around();
      const failures = await wrong(known([...SHOWN, ...SHOWN_BY_OTHERS]), async (given) => {
        const answers = await run(direct, given, "simple");
        if (shown(answers) !== (given.blunt === undefined))
          return told(given, answers.map(({ message }) => message).join("; "));
        return null;
      });
      await direct.client.end();
      expect(failures).toEqual([]);
    },
    PATIENCE,
  );

  test.each(MODES)(
    "is shown by none through it, %s",
    async (mode) => {
      const through = await shop.through();
      const failures = await wrong(known(SHOWN), async (given) =>
        shown(await run(through, given, mode)) ? told(given) : null,
      );
      expect((await through.run("select 1", "simple")).code).toBe("");
      await through.client.end();
      expect(failures).toEqual([]);
    },
    PATIENCE,
  );

  test.each(WIRE_BYPASSES)("is not shown on the wire by $why", async ({ before, readies, send, calls = "now" }) => {
    const answers: string[] = [];
    const [{ oid }] = (await shop.world.direct(`select '${calls}'::regproc::oid::int as oid`)).rows;
    for (const open of [shop.around, shop.through]) {
      const tapped = await open();
      for (const step of before ?? []) await tapped.run(step, "simple");
      answers.push(await tapped.pipeline(readies, (wire) => send(wire, oid)));
      tapped.stream.destroy();
    }
    expect(answers[0]).toMatch(SHOWS);
    expect(answers[1]).not.toMatch(SHOWS);
  });

  test("is stored nowhere else, by no listed way", async () => {
    const [direct, through] = await Promise.all([shop.around(), shop.through()]);
    const failures = await wrong(known(STORED), async (given) => {
      const [without] = await run(direct, given, "simple");
      const codes = [];
      for (const mode of MODES) codes.push((await run(through, given, mode))[0]!.code);
      return without!.code === "" && codes.every((code) => code === DENIED)
        ? null
        : told(given, without!.message, codes);
    });
    await Promise.all([direct.client.end(), through.client.end()]);
    expect(failures).toEqual([]);
  });

  test("is stored as it stands where the same label is, and not as something computed", async () => {
    const through = await shop.through();
    for (const [sql, code] of [
      ["update customers set email = email where id = 1", ""],
      ["insert into customers (id, name, phone) select id + 100, name, phone from customers where id < 3", ""],
      ["update customers set email = lower(email) where id = 1", DENIED],
      ["insert into customers (id, name, email) select 900, 'n', concat(email, email) from customers", DENIED],
    ] as const) {
      expect(await run(through, { why: "", steps: [sql], apart: true }, "simple")).toMatchObject([{ code }]);
    }
    await through.client.end();
  });
});

describe("what is forbidden", () => {
  /** Rows of the shop's tables that this transaction has left as they were; of the table it has treated worst. */
  const UNTOUCHED = `select least(${["customers", "orders", "payments", "people", "events", "docs"]
    .map((table) => `(select count(*) from ${table} where xmin::text <> pg_current_xact_id_if_assigned()::text)`)
    .join(", ")})::int as left`;

  async function done(direct: Tapped, given: Forbidden): Promise<string | null> {
    if (!given.apart) return (await run(direct, given, "simple")).find(({ code }) => code !== "")?.message ?? null;
    await direct.run("begin", "simple");
    const { code, message } = await direct.run(given.steps[0]!, "simple", given.values);
    const left = code === "" && given.unbounded ? (await direct.client.query(UNTOUCHED)).rows[0].left : 0;
    await direct.run("rollback", "simple");
    return code !== "" ? message : left > 0 ? `${left} rows are left` : null;
  }

  test(
    "is done by every listed way, without the enforcer",
    async () => {
      let direct = await shop.around();
      const failures = await wrong(known(FORBIDDEN), async (given) => {
        const failure = await done(direct, given);
        if (!direct.stream.readable) direct = await shop.around();
        return (failure === null) === (given.blunt === undefined) ? null : told(given, failure ?? `not ${given.blunt}`);
      });
      await direct.client.end();
      expect(failures).toEqual([]);
    },
    PATIENCE,
  );

  test(
    "is done by none through it",
    async () => {
      shop.world.control.change({ policies: [NARROW] });
      try {
        let through = await shop.through();
        // In force at once, but not before it has arrived.
        while ((await through.run("create temp table t ()", "simple")).code !== DENIED)
          await through.run("drop table t", "simple");
        for (const mode of MODES) {
          const failures = await wrong(known(FORBIDDEN), async (given) => {
            const answers = await run(through, given, mode);
            if (!through.stream.readable) through = await shop.through();
            // Several statements in one Parse are none to the server either.
            const several = (code: string) => mode !== "simple" && code === "42601";
            const refused = answers.findIndex(
              ({ code }) => code === DENIED || several(code) || (given.notUnderstood && NO_STATEMENT.includes(code)),
            );
            return refused >= 0 && answers.at(-1)!.code !== ""
              ? null
              : told(
                  given,
                  mode,
                  answers.map(({ code }) => code),
                );
          });
          expect(failures).toEqual([]);
        }
        await through.client.end();
      } finally {
        shop.world.control.change({ policies: [WIDE] });
      }
    },
    PATIENCE,
  );
});

describe("whatever a policy permits", () => {
  beforeAll(() => shop.inForce(ANY, "set local app.x = 'y'", ""));
  afterAll(() => shop.inForce(WIDE, "set local app.x = 'y'", DENIED));

  test.each(MODES)("nothing labelled is shown to another role, or by what is set, %s", async (mode) => {
    const through = await shop.through();
    const failures = await wrong(known(SHOWN_BY_OTHERS), async (given) => {
      const answers = await run(through, given, mode);
      return shown(answers) || answers.every(({ code }) => code !== DENIED)
        ? told(
            given,
            answers.map(({ code }) => code),
          )
        : null;
    });
    await through.client.end();
    expect(failures).toEqual([]);
  });

  test.each(MODES)("no setting is set that nobody may set, %s", async (mode) => {
    const through = await shop.through();
    const failures = await wrong(known(REFUSED), async (given) => {
      const [answer] = await run(through, given, mode);
      return answer!.code === DENIED ? null : told(given, answer!.code, answer!.message);
    });
    await through.client.end();
    expect(failures).toEqual([]);
  });
});

test.each(MODES)(
  "what only looks dangerous passes, and its answer is the server's, %s",
  async (mode) => {
    const [direct, through] = await Promise.all([shop.around(), shop.through()]);
    const failures = await wrong(known(ORDINARY), async (given) => {
      const without = await run(direct, given, mode);
      const answers = await run(through, given, mode);
      const same = answers.every(({ bytes }, at) => bytes === without[at]!.bytes);
      // Several statements in one text are no business of the extended protocol.
      const works = mode !== "simple" || without.every(({ code }) => code === "");
      return (same || given.blunt !== undefined) && works
        ? null
        : told(given, ...without.map(({ message }) => message), ...answers.map(({ message }) => message));
    });
    await Promise.all([direct.client.end(), through.client.end()]);
    expect(failures).toEqual([]);
  },
  PATIENCE,
);
