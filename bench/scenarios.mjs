// What is compared between the ways. Each gives for one way a value, and how many units of work it was.
import { pgbench, pgbenchMedian, run } from "./clients.mjs";
import { WIDE } from "./database.mjs";

const SELECT = ["-S", "-M", "prepared"];
const EIGHT = ["-c", "8", "-j", "2"];

/** `goal` is for the enforcer, of `ratio` to the relay's value, or of the `difference`, or of the value itself. */
export const scenarios = {
  select: {
    title: "select-only, prepared, 8 clients",
    unit: "transactions/s",
    goal: { ratio: 0.85 },
    measure: perSecond([...SELECT, ...EIGHT]),
  },
  latency: {
    title: "select-only, prepared, 1 client: median latency",
    unit: "ms",
    goal: { difference: 0.05 },
    measure: (way, { seconds }) => pgbenchMedian(way, seconds, [...SELECT, "-c", "1"]),
  },
  write: {
    title: "TPC-B-like, prepared, 8 clients, intent on disk before each write",
    unit: "transactions/s",
    goal: { ratio: 0.8 },
    measure: perSecond(["-M", "prepared", ...EIGHT]),
  },
  rows: rows(0, 0.85),
  "masked-one": rows(1, 0.6),
  "masked-ten": rows(10, 0.3),
  connect: {
    title: "connect, authenticate, one query; TLS to the enforcer only",
    unit: "connections/s",
    goal: { perCore: 100 },
    measure: (way, options) => perSecond(["-C", "-S", "-c", "4", "-j", "2"])({ ...way, tls: "child" in way }, options),
  },
};

function perSecond(args) {
  return async (way, { seconds }) => {
    const { rate, count } = await pgbench(way, seconds, args);
    return { value: rate, count };
  };
}

function rows(masked, ratio) {
  return {
    title: `a million rows of ten texts, ${masked === 0 ? "none" : masked} masked`,
    unit: "rows/s",
    goal: { ratio },
    async measure(way) {
      const began = process.hrtime.bigint();
      await run(way, "psql", ["-XqAt", "-o", "/dev/null", "-c", `select * from ${WIDE[masked]}`]);
      return { value: 1e6 / (Number(process.hrtime.bigint() - began) / 1e9), count: 1e6 };
    },
  };
}
