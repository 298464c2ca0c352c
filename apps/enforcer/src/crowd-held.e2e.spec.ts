import type { Socket } from "node:net";
import type pg from "pg";
import type { edgeV1 } from "#contracts";
import { approvalV1 } from "#contracts";
import { front } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { CrowdedShop, Member, recordedOf } from "./crowd.fixture.js";
import { type Connected, type EnforcedShop, streamOf } from "./enforced-shop.fixture.js";

/**
 * Many sessions at once, of which some wait for a person while policies come and go, and some are half gone: they have
 * stopped in the midst of a message, a COPY, a batch, a hold or a result, and stay. Each gets what was decided for it and
 * nothing twice, and those that are whole notice nothing of those that are not.
 */

const { ApprovalStatus } = approvalV1;

let crowded: CrowdedShop;
let shop: EnforcedShop;
beforeAll(async () => {
  crowded = await CrowdedShop.start();
  shop = crowded.shop;
});
afterAll(() => crowded?.drop());

const tries = async (like: string) =>
  Object.fromEntries(
    (await shop.direct(`select who, n from said where who like '${like}'`)).rows.map((r) => [r.who, r.n]),
  );
const factsOf = (application: string) => {
  const { records } = shop.control;
  const of = ({ fact }: edgeV1.Record) =>
    fact.case === "sessionStarted" && fact.value.clientApplication === application;
  const { sessionId } = records.find(of)!;
  return records.filter((record) => record.sessionId === sessionId).map(({ fact }) => fact);
};
const allOver = () => shop.control.until(() => shop.enforcer.sessions === 0 && shop.enforcer.unshipped === 0);

// ---- those that wait for a person ----------------------------------------------------------------------------------

const FATES = ["granted", "rejected", "expired", "cancelled", "gone"] as const;
type Fate = (typeof FATES)[number];
const DECIDED = {
  granted: ApprovalStatus.APPROVED,
  rejected: ApprovalStatus.REJECTED,
  expired: ApprovalStatus.EXPIRED,
} as const;
const TOLD: Record<Fate, string | null> = {
  ...{ granted: null, gone: null },
  ...{ rejected: "42501", expired: "42501", cancelled: "57014" },
};

/** Of what asks: `seeker 3 rejected`. */
const fateOf = (statement: string) => /seeker \d+ (\w+)/.exec(statement)![1] as Fate;

/** Asks for something once, and lets go of it itself where that is its fate. */
class Seeker {
  /** Until then it only waits. */
  static acts = false;
  readonly ended: Promise<pg.DatabaseError | pg.QueryResult>;

  constructor(
    readonly name: string,
    readonly fate: Fate,
    readonly client: Connected,
  ) {
    this.ended = client.query(`update said set n = n + 1 where who = '${name}'`).catch((error) => error);
    client.on("notice", () => void this.#asked());
  }

  static async join(number: number): Promise<Seeker> {
    const fate = FATES[number % FATES.length]!;
    const name = `seeker ${number} ${fate}`;
    const token = shop.control.token({ groups: ["asked"] });
    return new Seeker(name, fate, await shop.connect({ ssl: false, application_name: name }, token));
  }

  /** It is told of each approval anew. */
  async #asked(): Promise<void> {
    if (!Seeker.acts) return;
    if (this.fate === "gone") streamOf(this.client).resetAndDestroy();
    if (this.fate !== "cancelled") return;
    const { processID, secretKey } = this.client as unknown as Record<"processID" | "secretKey", number>;
    const key = Buffer.alloc(8);
    key.writeInt32BE(processID, 0);
    key.writeInt32BE(secretKey, 4);
    (await shop.socket()).resume().write(front.cancelRequest(key));
  }
}

/** Decides whatever waits, as it is meant to be. */
async function approver(over: () => boolean): Promise<void> {
  const { approvals } = shop.control;
  while (!over()) {
    for (const [id, { status, statement }] of approvals) {
      const decided = DECIDED[fateOf(statement) as keyof typeof DECIDED];
      if (status === ApprovalStatus.PENDING && decided) shop.control.decide(id, decided);
    }
    await new Promise(setImmediate);
  }
}

test("what waits for a person while policies change beneath it is decided once, and runs once or not at all", async () => {
  const { control } = shop;
  const names = Array.from({ length: 15 }, (_, number) => `seeker ${number} ${FATES[number % FATES.length]}`);
  await shop.direct(`insert into said values ${names.map((name) => `('${name}', 0)`).join()}`);
  const seekers = await Promise.all(names.map((_name, number) => Seeker.join(number)));
  await control.until(() => control.approvals.size === seekers.length);
  const first = [...control.approvals.keys()];
  Seeker.acts = true;
  crowded.rule(1);
  await control.until(() => first.every((id) => control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN));
  let over = false;
  const decided = approver(() => over);
  for (let round = 2; round < 6; round++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    crowded.rule(round);
  }
  const answers = await Promise.all(seekers.map(({ ended }) => ended));
  over = true;
  await decided;
  for (const [number, { fate, client }] of seekers.entries()) {
    const answer = answers[number]!;
    if (fate === "gone") continue;
    expect([number, "code" in answer ? answer.code : null]).toEqual([number, TOLD[fate]]);
    const { rows } = await client.query(`select n from said where who = '${names[number]}'`);
    expect(rows).toEqual([{ n: fate === "granted" ? 1 : 0 }]);
    await client.end();
  }
  await allOver();
  expect(await tries("seeker%gone")).toEqual(
    Object.fromEntries(names.filter((n) => n.endsWith("gone")).map((n) => [n, 0])),
  );
  for (const { name, fate } of seekers) {
    const facts = factsOf(name);
    const of = (kind: string) => facts.filter((fact) => fact.case === kind).map(({ value }) => value as never);
    const asked = (of("commandHeld") as edgeV1.CommandHeld[]).map(({ approvalId }) => approvalId);
    const ends = of("holdEnded") as edgeV1.HoldEnded[];
    expect(ends.map(({ approvalId }) => approvalId)).toEqual(asked);
    const started = (of("commandStarted") as edgeV1.CommandStarted[]).filter(({ approvalId }) => approvalId !== "");
    const consumed = ends
      .filter(({ status }) => status === ApprovalStatus.CONSUMED)
      .map(({ approvalId }) => approvalId);
    expect(started.map(({ approvalId }) => approvalId)).toEqual(consumed);
    expect([name, consumed.length]).toEqual([name, fate === "granted" ? 1 : 0]);
    expect(of("commandRefused")).toHaveLength(fate === "granted" || fate === "gone" ? 0 : 1);
  }
  const statuses = [...control.approvals.values()].map(({ status }) => status);
  expect(statuses).not.toContain(ApprovalStatus.PENDING);
  expect(statuses).not.toContain(ApprovalStatus.APPROVED);
  control.clear();
}, 60_000);

// ---- those that are half gone --------------------------------------------------------------------------------------

const cut = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 3);
const insert = (who: string) => `insert into said values ('${who}', 1)`;
const BIG = "select a.bulk, b.bulk from people a, people b, people c";

/** Up to where each goes on no more; `shows` what stands in its records by then. */
const ADRIFT: Record<string, { groups?: string[]; shows: string; goes: (stream: Socket, who: string) => void }> = {
  "in a message": {
    shows: "sessionStarted",
    goes: (stream, who) => stream.write(cut(front.query(insert(who)))),
  },
  "in a COPY": {
    shows: "commandStarted",
    goes: (stream) => {
      const data = front.copyData("adrift\t1\n");
      stream.write(Buffer.concat([front.query("copy said from stdin"), data, cut(data)]));
    },
  },
  "in a batch": {
    shows: "commandStarted",
    goes: (stream, who) =>
      stream.write(Buffer.concat([front.parse("", insert(who)), front.bind("", ""), front.execute(""), front.flush()])),
  },
  "in a hold": {
    groups: ["asked"],
    shows: "commandHeld",
    goes: (stream, who) => stream.write(Buffer.concat([front.query(insert(who)), cut(front.query(insert(who)))])),
  },
  "in a result": {
    shows: "commandStarted",
    goes: (stream) => {
      stream.pause();
      stream.write(front.query(BIG));
    },
  },
};

test("those that are half gone hurt nobody, keep nothing and leave nothing, however they end", async () => {
  const { control } = shop;
  const halves = await Promise.all(Array.from({ length: 4 }, () => shop.socket()));
  for (const half of halves) half.write(front.startup({ user: "foil_0", database: "shop" }).subarray(0, 11));
  const adrift = await Promise.all(
    Object.entries(ADRIFT).flatMap(([where, { groups = ["ci"], goes }]) =>
      (["revoked", "client"] as const).map(async (cause) => {
        const name = `adrift ${where}, ${cause}`;
        const token = control.token({ groups });
        const client = await shop.connect({ ssl: false, application_name: name }, token);
        const stream = streamOf(client);
        stream.removeAllListeners("data");
        goes(stream, name);
        return { name, where, cause, token, stream };
      }),
    ),
  );
  for (const { name, where } of adrift) {
    const { shows } = ADRIFT[where]!;
    await control.until(() =>
      control.records.some(({ fact }) => fact.case === "sessionStarted" && fact.value.clientApplication === name),
    );
    await control.until(() => factsOf(name).some((fact) => fact.case === shows));
  }
  const members = await Promise.all(Array.from({ length: 6 }, (_, number) => Member.join(shop, number, 2)));
  await Promise.all(
    members.map(async (member) => {
      for (let act = 0; act < 5; act++) await member.act();
    }),
  );
  for (const { client } of members) await client.end();
  for (const member of members) expect(await recordedOf(control, member)).toEqual(member.said);

  const revoked = adrift.filter(({ cause }) => cause === "revoked").map(({ token }) => token.id);
  control.push({ case: "revoked", value: { tokenIds: revoked, sessionIds: [], reason: "adrift" } });
  for (const { cause, stream } of adrift) if (cause === "client") stream.resetAndDestroy();
  await allOver();
  for (const { name, cause } of adrift) {
    const facts = factsOf(name);
    const ordinals = (kind: string) =>
      facts
        .filter((fact) => fact.case === kind)
        .map(
          ({ value }) => (value as edgeV1.CommandEnded).ordinal ?? (value as edgeV1.CommandStarted).command!.ordinal,
        );
    expect(facts.at(-1)).toMatchObject({ case: "sessionEnded", value: { cause } });
    expect(ordinals("commandEnded")).toEqual(ordinals("commandStarted"));
    expect(ordinals("holdEnded")).toEqual(ordinals("commandHeld"));
  }
  const statuses = [...control.approvals.values()].map(({ status }) => status);
  expect(statuses).toEqual([ApprovalStatus.WITHDRAWN, ApprovalStatus.WITHDRAWN]);
  const left = "select 1 from pg_stat_activity where application_name like 'adrift%'";
  while ((await shop.direct(left)).rowCount !== 0) await new Promise(setImmediate);
  expect(await tries("adrift%")).toEqual({});
}, 60_000);
