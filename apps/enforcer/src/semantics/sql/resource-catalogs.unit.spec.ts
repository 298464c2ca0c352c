import type { ResourcePart } from "#commands";
import { NOTHING_THERE } from "./catalog.fixture.js";
import type { CatalogRead } from "./catalog-reader.js";
import { ResourceCatalogs } from "./resource-catalogs.js";

const resource = {
  name: "shop",
  upstream: { hosts: [], database: "shop" },
  credential: { username: "app" },
} as unknown as ResourcePart;
const read = (path: string): CatalogRead => ({
  state: "",
  session: { role: "app", user: "app", searchPath: [path] },
  own: { state: "", rows: NOTHING_THERE, digest: "" },
  rest: NOTHING_THERE,
});

/** Catalogs whose loads end when the test says so, oldest first. */
function catalogs() {
  const loads: ((path: string) => void)[] = [];
  const clock = { now: () => 1_000, after: () => () => {} };
  const load = () => new Promise<CatalogRead>((done) => loads.push((path) => done(read(path))));
  const known = new ResourceCatalogs(clock, { debug: () => {}, warn: () => {} } as never, load);
  const first = async () => {
    const names = known.get(resource);
    loads.shift()!("first");
    await names;
  };
  return { known, loads, first };
}

test("a name that is not known waits for a load that is under way: it may be for just that name", async () => {
  const { known, loads, first } = catalogs();
  await first();
  const renewed = known.refresh(resource);
  const missed = known.refreshOnMiss(resource);
  loads.shift()!("second");
  expect((await missed).searchPath).toEqual(["second"]);
  expect(await renewed).toBe(await missed);
});

test("a name that nobody knows loads nothing anew so soon", async () => {
  const { known, loads, first } = catalogs();
  await first();
  expect((await known.refreshOnMiss(resource)).searchPath).toEqual(["first"]);
  expect(loads).toEqual([]);
});
