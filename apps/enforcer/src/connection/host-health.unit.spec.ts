import { ManualClock } from "../manual-clock.fixture.js";
import { HostAway, HostHealth } from "./host-health.js";

const host = { host: "db-1", port: 5432 };
const away = () => Promise.reject(new HostAway("cannot be reached (ECONNREFUSED)"));
const up = () => Promise.resolve("connected");

function setUp() {
  const clock = new ManualClock();
  const health = new HostHealth(clock);
  let dials = 0;
  const use = (dial: () => Promise<string>, where = host) =>
    health
      .use(where, () => {
        dials++;
        return dial();
      })
      .catch((error: Error) => error.message);
  return { clock, use, dialled: () => dials };
}

describe("a host that is away", () => {
  test("is not dialled again until its pause is over; whoever asks meanwhile is told why, at once", async () => {
    const { clock, use, dialled } = setUp();
    await use(away);
    const told = await Promise.all(Array.from({ length: 100 }, () => use(up)));
    expect(new Set(told)).toEqual(new Set(["the host cannot be reached (ECONNREFUSED)"]));
    expect(dialled()).toBe(1);
    await clock.pass(200);
    expect(await use(up)).toBe("connected");
    expect(await use(up)).toBe("connected");
  });

  test("is dialled by one at a time", async () => {
    const { clock, use, dialled } = setUp();
    await use(away);
    await clock.pass(200);
    let answer = (_: string) => {};
    const probe = use(() => new Promise((resolve) => (answer = resolve)));
    expect(await use(up)).toContain("cannot be reached");
    expect(dialled()).toBe(2);
    answer("connected");
    expect(await probe).toBe("connected");
    expect(await use(up)).toBe("connected");
  });

  test("is left alone twice as long after each try, up to five seconds", async () => {
    const { clock, use, dialled } = setUp();
    await use(away);
    for (const pause of [200, 400, 800, 1600, 3200, 5000, 5000]) {
      const before = dialled();
      await clock.pass(pause - 1);
      await use(away);
      expect(dialled()).toBe(before);
      await clock.pass(1);
      await use(away);
      expect(dialled()).toBe(before + 1);
    }
  });

  test("is so once, however many noticed it together", async () => {
    const { clock, use } = setUp();
    await Promise.all(Array.from({ length: 50 }, () => use(away)));
    await clock.pass(200);
    expect(await use(up)).toBe("connected");
  });

  test("is another's affair", async () => {
    const { use } = setUp();
    await use(away);
    expect(await use(up, { host: "db-1", port: 5433 })).toBe("connected");
  });
});

test("a host that answers, if only to refuse, is not away", async () => {
  const { use, dialled } = setUp();
  await use(() => Promise.reject(new Error("the credential is wrong")));
  expect(await use(up)).toBe("connected");
  expect(dialled()).toBe(2);
});
