import type { Gate } from "#protocols";
import type { SessionEffect, Understander } from "#sql";
import { ManualClock, settle } from "../../manual-clock.fixture.js";
import type { OpenSession } from "../semantics.js";
import { DisplacedNames } from "./displaced-names.js";
import type { UnderstoodSql } from "./interpreter.js";
import type { ResourceCatalogs, ResourceNames } from "./resource-catalogs.js";
import { SqlSession } from "./sql-session.js";
import type { SqlTerms, TermsOfVerdicts } from "./terms.js";

const RESOURCE = { name: "shop" } as OpenSession["resource"];
const DROPS: SessionEffect = { kind: "changesCatalog", displaces: ["people"] };

let clock: ManualClock;
let away: boolean;
let reads: number;
let conversation: { transaction: string; busy: boolean };
let displaced: DisplacedNames;
let session: SqlSession;
beforeEach(() => {
  clock = new ManualClock();
  displaced = new DisplacedNames();
  away = false;
  reads = 0;
  const refresh = async () => {
    reads++;
    if (away) throw new Error("away");
    return {} as ResourceNames;
  };
  const catalogs = { refresh, renew: () => void refresh().catch(() => {}), get: refresh } as Partial<ResourceCatalogs>;
  conversation = { transaction: "active", busy: false };
  const parts = { conversation: { ...conversation, whenRun() {} }, resource: RESOURCE, settings: new Map() };
  conversation = parts.conversation;
  session = new SqlSession(parts as unknown as OpenSession, {
    understander: {} as Understander,
    catalogs: catalogs as ResourceCatalogs,
    terms: {} as TermsOfVerdicts,
    displaced,
    clock,
    log: { warn() {} } as never,
    resourceChanged() {},
  });
  session.sent(
    { batch: 1 } as Gate,
    { effects: [DROPS] } as unknown as UnderstoodSql,
    { transactional: true } as SqlTerms,
  );
});

/** To any other session of the resource. */
const doubted = () => [...displaced.seenBy(RESOURCE, {})];

test("what a transaction displaces is doubted until the catalog is read behind its end", async () => {
  expect(doubted()).toEqual(["people"]);
  session.settled();
  await settle();
  expect([doubted(), reads]).toEqual([["people"], 0]);
  conversation.transaction = "idle";
  session.settled();
  await settle();
  expect([doubted(), reads]).toEqual([[], 1]);
});

test("of a session that is gone with it open, for a while: a COMMIT that was sent may still come about", async () => {
  session.close();
  await settle();
  expect([doubted(), reads]).toEqual([["people"], 1]);
  await clock.pass(29_999);
  expect(doubted()).toEqual(["people"]);
  await clock.pass(1);
  expect([doubted(), reads, clock.waiting]).toEqual([[], 2, 0]);
});

test("and on, while the resource does not answer", async () => {
  away = true;
  session.close();
  await clock.pass(120_000);
  expect(doubted()).toEqual(["people"]);
  away = false;
  await clock.pass(30_000);
  expect([doubted(), clock.waiting]).toEqual([[], 0]);
});

test("a session that is gone behind its end leaves nothing doubted", async () => {
  conversation.transaction = "idle";
  session.settled();
  session.close();
  await settle();
  expect([doubted(), clock.waiting]).toEqual([[], 0]);
});
