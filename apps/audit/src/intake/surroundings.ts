import { Injectable } from "@nestjs/common";
import type { EntityManager } from "typeorm";
import type { SequencedEvent } from "#event-store";
import type { Around } from "../facts/control-facts.js";

const EDGE_ACTOR = /^enforcer:/;
/** A name is never another one later. */
const MOST_KNOWN = 10_000;

/** Finds in the event store what an entry is to say of its session and its enforcer, and its own fact does not. */
@Injectable()
export class Surroundings {
  readonly #names = new Map<string, string>();

  async of(tx: EntityManager, { streamType, streamId, event, meta }: SequencedEvent): Promise<Around> {
    const { sessionId, enforcerId } = (event.data ?? {}) as { sessionId?: unknown; enforcerId?: unknown };
    const actor = EDGE_ACTOR.test(meta.actor.id) ? meta.actor.id.replace(EDGE_ACTOR, "") : "";
    const named = typeof enforcerId === "string" ? enforcerId : actor;
    const isNamed = typeof sessionId === "string";
    return {
      // A vote and what follows from it are of the session that asked.
      sessionId: isNamed ? sessionId : streamType === "approval" ? await first(tx, streamId, "sessionId") : "",
      enforcerName: named === "" ? "" : await this.enforcerName(tx, named),
    };
  }

  /** Empty where none is registered by this id. */
  async enforcerName(tx: EntityManager, enforcerId: string): Promise<string> {
    const known = this.#names.get(enforcerId);
    if (known !== undefined) return known;
    const name = await first(tx, `enforcer/${enforcerId}`, "name");
    if (name !== "" && this.#names.size < MOST_KNOWN) this.#names.set(enforcerId, name);
    return name;
  }
}

/** A field of a stream's first event. */
async function first(tx: EntityManager, streamId: string, field: string): Promise<string> {
  const [row] = await tx.query("SELECT body FROM es.event WHERE stream_id = $1 AND stream_pos = 1", [streamId]);
  return String(row?.body[field] ?? "");
}
