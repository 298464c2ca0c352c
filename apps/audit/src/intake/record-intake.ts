import { Injectable, Logger } from "@nestjs/common";
import { DataSource, type EntityManager } from "typeorm";
import { missingFact, RECORDS_MISSING } from "../facts/concluded-facts.js";
import type { Fact } from "../facts/control-facts.js";
import { edgeSource } from "../facts/edge-facts.js";
import { AuditLog } from "../log/audit-log.js";
import { textArray } from "../log/binary-arrays.js";
import { projectSessions } from "../projections/sessions.js";
import { Leases } from "./leases.js";
import { DISOWNED, owned } from "./owned.js";
import type { Parcel, Reading, Unreadable } from "./reading.js";
import { SessionEnds } from "./session-ends.js";
import { Surroundings } from "./surroundings.js";

/** What became of a message. */
export interface Taken {
  /** What the enforcer may be told; null for what belongs to no spool. */
  readonly acknowledged: { readonly source: string; readonly sequence: number } | null;
  /** Records before the message's are missing: nothing of it, or not all, was taken. */
  readonly gap: boolean;
  /** The newest index of the log, where the message made it grow; else 0. */
  readonly head: number;
}

/** Class 22 and 23 (PostgreSQL appendix A): the data itself can't be stored, however often it is tried. */
const INDIGESTIBLE = /^(22|23)/;
const OPENED = "spool.opened";
/** What begins something, or stands alone, says the name of its enforcer; whatever follows has its id. */
const NAMED = new Set(["session.started", "login.refused", OPENED, DISOWNED, RECORDS_MISSING]);

/**
 * Takes record batches into the audit log: each record once, in the order of its spool, without a gap. What can't be read
 * or stored keeps its place as `record.unreadable`; what speaks of a session that its enforcer never leased, as
 * `record.disowned`.
 */
@Injectable()
export class RecordIntake {
  readonly #logger = new Logger(RecordIntake.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly log: AuditLog,
    private readonly leases: Leases,
    private readonly surroundings: Surroundings,
    private readonly ends: SessionEnds,
  ) {}

  /**
   * All in one transaction, where nothing is at fault. Answers for each reading, in their order.
   * @throws where the database is away: all must be tried again
   */
  async take(readings: readonly Reading[]): Promise<readonly Taken[]> {
    const taken = new Map<Reading, Taken>();
    for (const reading of readings) if (reading.kind === "unreadable") taken.set(reading, await this.#park(reading));
    const parcels = readings.filter((reading) => reading.kind === "parcel");
    const answers = await this.#takeParcels(parcels);
    parcels.forEach((parcel, n) => {
      taken.set(parcel, answers[n]!);
    });
    return readings.map((reading) => taken.get(reading)!);
  }

  async #takeParcels(parcels: readonly Parcel[]): Promise<readonly Taken[]> {
    try {
      return await this.#takeTogether(parcels);
    } catch (error) {
      if (!isIndigestible(error)) throw error;
      const taken: Taken[] = [];
      for (const parcel of parcels) taken.push(await this.#takeEach(parcel));
      return taken;
    }
  }

  /** One by one, so that only what is at fault becomes unreadable. */
  async #takeEach(parcel: Parcel): Promise<Taken> {
    let taken: Taken = { acknowledged: null, gap: false, head: 0 };
    for (const item of parcel.items) {
      const [next] = await this.#takeTogether([{ ...parcel, items: [item] }]).catch((error) => {
        if (!isIndigestible(error)) throw error;
        const fact = item.unreadable(`it could not be stored: ${(error as Error).message}`);
        return this.#takeTogether([{ ...parcel, items: [{ ...item, fact }] }]);
      });
      taken = { ...next!, head: Math.max(taken.head, next!.head) };
      if (taken.gap) break;
    }
    return taken;
  }

  #takeTogether(parcels: readonly Parcel[]): Promise<readonly Taken[]> {
    if (parcels.length === 0) return Promise.resolve([]);
    return this.dataSource.transaction(async (tx) => {
      const spools = await lockedSpools(tx, parcels);
      const fresh: Fact[] = [];
      const taken = parcels.map((parcel) => {
        const spool = spools.get(spoolOf(parcel))!;
        const before = spool.reached;
        let gap = false;
        fresh.push(...this.#missing(spool, parcel.oldest - 1));
        for (const { sequence, fact, replaces } of parcel.items) {
          if (sequence <= spool.reached) continue;
          gap = sequence !== spool.reached + 1;
          if (gap) break;
          if (replaces) fresh.push(...this.#missing(spools.get(spoolOf({ ...parcel, ...replaces }))!, replaces.last));
          fresh.push(fact);
          spool.reached = sequence;
        }
        return { acknowledged: { source: parcel.source, sequence: spool.reached }, gap, grown: spool.reached > before };
      });
      const head = await this.#append(tx, await this.#owned(tx, fresh));
      await moveSpools(
        tx,
        [...spools.values()].filter(({ reached, before }) => reached > before),
      );
      return taken.map(({ grown, ...answer }) => ({ ...answer, head: grown ? head : 0 }));
    });
  }

  /** What its enforcer had up to `last` will not come any more: the spool goes on behind it, and the log says so. */
  #missing(spool: Spool, last: number): readonly Fact[] {
    if (last <= spool.reached) return [];
    const { enforcerId, source, elsewhere } = spool;
    const reached = Math.max(spool.reached, elsewhere);
    if (last <= reached) {
      spool.reached = last;
      return [];
    }
    const missing = { enforcerId, source: edgeSource(enforcerId, source), first: reached + 1, last };
    this.#logger.error(`records ${missing.first} to ${last} of ${missing.source} are lost`);
    spool.reached = last;
    return [missingFact(missing, new Date())];
  }

  async #owned(tx: EntityManager, facts: readonly Fact[]): Promise<readonly Fact[]> {
    const sessions = [...new Set(facts.map(({ sessionId }) => sessionId))].filter(Boolean);
    const leases = await this.leases.of(tx, sessions);
    const kept: Fact[] = [];
    for (const fact of facts) {
      const one = owned(fact, leases.get(fact.sessionId));
      kept.push(NAMED.has(one.type) ? await this.#named(tx, one) : one);
    }
    const disowned = kept.filter(({ type }) => type === DISOWNED);
    if (disowned.length > 0) {
      const sources = [...new Set(disowned.map(({ source }) => source))];
      this.#logger.warn(`${disowned.length} records of sessions that were not leased, from ${sources.join(", ")}`);
    }
    return kept;
  }

  async #named(tx: EntityManager, fact: Fact): Promise<Fact> {
    const data = fact.data as { readonly enforcer_id: string };
    return { ...fact, data: { ...data, enforcer_name: await this.surroundings.enforcerName(tx, data.enforcer_id) } };
  }

  async #append(tx: EntityManager, facts: readonly Fact[]): Promise<number> {
    let head = 0;
    for (const run of upToOpenings(facts)) {
      const entries = (await this.log.append(tx, run)).map(({ entry }) => entry);
      await projectSessions(tx, entries);
      const last = entries.at(-1)!;
      head = Math.max(last.index, last.type === OPENED ? await this.ends.lostBy(tx, last) : 0);
    }
    return head;
  }

  /** The same bytes again are the same entry. */
  async #park({ fact }: Unreadable): Promise<Taken> {
    const head = await this.dataSource.transaction(async (tx) => {
      await tx.query("SELECT 1 FROM audit.head FOR UPDATE");
      const known = await tx.query("SELECT 1 FROM audit.entry WHERE source = $1", [fact.source]);
      return known.length === 0 ? this.#append(tx, [fact]) : 0;
    });
    return { acknowledged: null, gap: false, head };
  }
}

/** Cut behind each `spool.opened`: what is lost by it follows at once. */
function upToOpenings(facts: readonly Fact[]): readonly (readonly Fact[])[] {
  const runs: Fact[][] = [];
  for (const fact of facts) {
    if (runs.length === 0 || runs.at(-1)!.at(-1)!.type === OPENED) runs.push([fact]);
    else runs.at(-1)!.push(fact);
  }
  return runs;
}

interface Spool {
  readonly enforcerId: string;
  readonly source: string;
  readonly before: number;
  reached: number;
  /** How far it was shipped by the id that its node had before it was registered anew; 0 once it is shipped by this one. */
  readonly elsewhere: number;
}

const spoolOf = ({ enforcerId, source }: { readonly enforcerId: string; readonly source: string }) =>
  `${enforcerId}\0${source}`;

/** Those of the parcels and those that they replace; in one order, lest two processes wait for each other. */
async function lockedSpools(tx: EntityManager, parcels: readonly Parcel[]): Promise<ReadonlyMap<string, Spool>> {
  const named = parcels.flatMap(({ enforcerId, source, items }) => [
    { enforcerId, source },
    ...items.flatMap(({ replaces }) => (replaces ? [{ enforcerId, source: replaces.source }] : [])),
  ]);
  const keys = [...new Map(named.map((each) => [spoolOf(each), each])).values()];
  const given = [textArray(keys.map(({ enforcerId }) => enforcerId)), textArray(keys.map(({ source }) => source))];
  await tx.query(
    `INSERT INTO audit.source (enforcer_id, source) SELECT * FROM unnest($1::text[], $2::text[]) ORDER BY 1, 2
     ON CONFLICT DO NOTHING`,
    given,
  );
  const rows: { enforcer_id: string; source: string; last_sequence: string; elsewhere: string }[] = await tx.query(
    `SELECT enforcer_id, source, last_sequence, CASE WHEN last_sequence = 0 THEN
       (SELECT max(last_sequence) FROM audit.source other WHERE other.source = mine.source) ELSE 0 END AS elsewhere
     FROM audit.source mine WHERE (enforcer_id, source) IN (SELECT * FROM unnest($1::text[], $2::text[]))
     ORDER BY enforcer_id, source FOR UPDATE OF mine`,
    given,
  );
  const spools = rows.map(({ enforcer_id: enforcerId, source, last_sequence, elsewhere }) => {
    const reached = Number(last_sequence);
    return { enforcerId, source, before: reached, reached, elsewhere: Number(elsewhere) };
  });
  return new Map(spools.map((spool) => [spoolOf(spool), spool]));
}

async function moveSpools(tx: EntityManager, spools: readonly Spool[]): Promise<void> {
  if (spools.length === 0) return;
  await tx.query(
    `UPDATE audit.source s SET last_sequence = moved.reached::bigint, last_seen = clock_timestamp()
     FROM unnest($1::text[], $2::text[], $3::text[]) AS moved (enforcer_id, source, reached)
     WHERE s.enforcer_id = moved.enforcer_id AND s.source = moved.source`,
    [
      textArray(spools.map(({ enforcerId }) => enforcerId)),
      textArray(spools.map(({ source }) => source)),
      textArray(spools.map(({ reached }) => String(reached))),
    ],
  );
}

function isIndigestible(error: unknown): boolean {
  const { code = "" } = (error as { driverError?: { code?: string } }).driverError ?? {};
  return INDIGESTIBLE.test(code);
}
