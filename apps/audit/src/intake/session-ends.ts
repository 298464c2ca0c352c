import { Injectable } from "@nestjs/common";
import type { EntityManager } from "typeorm";
import type { AuditEntry } from "#audit-log";
import { CONCLUDED_SOURCE, unendedFact, type WHY } from "../facts/concluded-facts.js";
import type { Fact } from "../facts/control-facts.js";
import { AuditLog } from "../log/audit-log.js";
import { textArray } from "../log/binary-arrays.js";
import { placesTaken, projectSessions } from "../projections/sessions.js";
import { type Lease, Leases } from "./leases.js";
import { Surroundings } from "./surroundings.js";

/** Of the leases that are asked about at once. */
const MOST_AT_ONCE = 500;

/**
 * Concludes that nobody told how a session ended, so that of each session that was leased the log says one or the other.
 * All of it is done with the log's head locked: what is taken in meanwhile waits, and nothing is concluded twice.
 */
@Injectable()
export class SessionEnds {
  constructor(
    private readonly log: AuditLog,
    private readonly leases: Leases,
    private readonly surroundings: Surroundings,
  ) {}

  /**
   * Behind a `spool.opened`: of the sessions in the spools whose place it takes, those that have no end are lost. All that
   * was left of those spools is in the log by then, since a process ships it before anything of its own.
   * @returns the newest index, or 0 where nothing was lost
   */
  async lostBy(tx: EntityManager, opened: AuditEntry): Promise<number> {
    return this.#conclude(tx, "replaced", await unendedWhere(tx, "source = ANY($1)", textArray(placesTaken(opened))));
  }

  /** Behind an `enforcer.removed`: it may say nothing any more, so those of its sessions that have no end are lost. */
  async lostWith(tx: EntityManager, enforcerId: string): Promise<number> {
    return this.#conclude(tx, "removed", await unendedWhere(tx, "enforcer_id = $1", enforcerId));
  }

  /**
   * Each lease that ran out before `before` is looked at once: of a session that nobody has told the end of, that is told.
   * @returns how many were looked at, and the newest index, or 0 where nothing was to be told
   */
  async unheard(tx: EntityManager, before: Date): Promise<{ readonly looked: number; readonly head: number }> {
    await tx.query("SELECT 1 FROM audit.head FOR UPDATE");
    const due: { session_id: string }[] = await tx.query(
      "SELECT session_id FROM audit.lease WHERE NOT settled AND expires_at < $1 ORDER BY expires_at LIMIT $2",
      [before, MOST_AT_ONCE],
    );
    const ids = due.map(({ session_id }) => session_id);
    await tx.query("UPDATE audit.lease SET settled = true WHERE session_id = ANY($1)", [textArray(ids)]);
    return { looked: due.length, head: await this.#conclude(tx, "expired", ids) };
  }

  async #conclude(tx: EntityManager, because: keyof typeof WHY, sessionIds: readonly string[]): Promise<number> {
    if (sessionIds.length === 0) return 0;
    const leases = await this.leases.of(tx, sessionIds);
    const untold = (await standings(tx, leases)).filter(
      ({ told, started, released }) => !told && (started || !released),
    );
    if (untold.length === 0) return 0;
    const [{ last }] = await tx.query("SELECT coalesce(max(sequence), 0) AS last FROM audit.entry WHERE source = $1", [
      CONCLUDED_SOURCE,
    ]);
    const now = new Date();
    const facts: Fact[] = [];
    for (const { session_id: sessionId, started, released } of untold) {
      const { enforcerId, tokenId, whose } = leases.get(sessionId)!;
      const enforcerName = await this.surroundings.enforcerName(tx, enforcerId);
      const unended = { enforcerId, enforcerName, sessionId, tokenId, whose, started, released };
      facts.push(unendedFact(because, unended, Number(last) + facts.length + 1, now));
    }
    const entries = (await this.log.append(tx, facts)).map(({ entry }) => entry);
    await projectSessions(tx, entries);
    return entries.at(-1)!.index;
  }
}

async function unendedWhere(tx: EntityManager, which: string, parameter: string | Buffer): Promise<readonly string[]> {
  const rows: { id: string }[] = await tx.query(
    `SELECT id FROM audit.session WHERE ${which} AND status <> 'ended' AND ended_because = '' ORDER BY id`,
    [parameter],
  );
  return rows.map(({ id }) => id);
}

interface Standing {
  readonly session_id: string;
  /** It has an end, or is known to be lost. */
  readonly told: boolean;
  readonly started: boolean;
  readonly released: boolean;
}

function standings(tx: EntityManager, leases: ReadonlyMap<string, Lease>): Promise<readonly Standing[]> {
  // In CASE, since text of another event's body need not be such as the server can make text of.
  return tx.query(
    `SELECT lease.session_id, session.id IS NOT NULL AS started,
       coalesce(session.status = 'ended' OR session.ended_because <> '', false) AS told,
       EXISTS (SELECT 1 FROM es.event e WHERE e.stream_id = lease.stream_id
         AND CASE WHEN e.type = 'SessionReleased' THEN e.body ->> 'sessionId' = lease.session_id END) AS released
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS lease (session_id, stream_id, place)
     LEFT JOIN audit.session session ON session.id = lease.session_id ORDER BY place`,
    [textArray([...leases.keys()]), textArray([...leases.values()].map(({ tokenId }) => `token-${tokenId}`))],
  );
}
