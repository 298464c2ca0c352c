import { Inject, Injectable } from "@nestjs/common";
import { DataSource } from "typeorm";
import { Bus } from "#bus";
import { CLOCK, type Clock } from "#bus/nest";

/** An enforcer that holds a command asks for its decision every 3 s: one that has missed some no longer does. */
const SILENCE_MS = 15_000;
/** A pause this long is our own: nobody could be heard. */
const DEAF_MS = 5_000;

/**
 * Whether enforcers still wait for what is not settled. That they ask is no fact of the log: a rebuild leaves it as it is.
 * Silence counts only where it was listened for all the time.
 */
@Injectable()
export class Waiting {
  #listeningSince: number;
  #listenedAt: number;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(Bus) private readonly bus: Bus,
    @Inject(CLOCK) private readonly now: Clock,
  ) {
    this.#listeningSince = this.#listenedAt = now();
  }

  /** Its enforcer has asked for it. */
  async asked(id: string): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO approval.waiting (approval_id, asked_at) VALUES ($1, $2)
       ON CONFLICT (approval_id) DO UPDATE SET asked_at = greatest(waiting.asked_at, excluded.asked_at)`,
      [id, new Date(this.now())],
    );
  }

  /** Called again and again while the database answers. */
  listened(): void {
    const now = this.now();
    if (!this.bus.connected || now - this.#listenedAt > DEAF_MS) this.#listeningSince = now;
    this.#listenedAt = now;
  }

  /** Open ones that nobody has asked for in a while: of all, or whether this one is. */
  async abandoned(limit: number, id: string | null = null): Promise<readonly string[]> {
    const now = this.now();
    const silence = now - SILENCE_MS;
    if (this.#listeningSince > silence || now - this.#listenedAt > DEAF_MS) return [];
    const rows: { id: string }[] = await this.dataSource.query(
      `SELECT id FROM approval.approval LEFT JOIN approval.waiting ON approval_id = id
       WHERE status IN ('pending', 'approved') AND expires_at > $1 AND coalesce(asked_at, requested_at) <= $2
         AND ($3::text IS NULL OR id = $3) LIMIT $4`,
      [new Date(now), new Date(silence), id, limit],
    );
    return rows.map((row) => row.id);
  }
}
