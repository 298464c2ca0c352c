import pg from "pg";

/** What a candidate says of itself. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
}

/** A leader's time in office. */
export interface Term {
  /** The leader's own session, which holds the office: it ends with it. */
  readonly client: pg.Client;
  /** Resolves when there may be work (a notification), after `ms` at the latest, and at once when the term is over. */
  wake(ms: number): Promise<void>;
  readonly over: boolean;
}

export interface CandidateOptions {
  readonly databaseUrl: string;
  /** The office: one holder a database. */
  readonly office: string;
  /** NOTIFY channels that mean work. */
  readonly channels: readonly string[];
  /** Does the work until the term is over. What it throws ends the term. */
  readonly lead: (term: Term) => Promise<void>;
  readonly logger: Logger;
}

const ELECTION_MS = 500;
const LONGEST_BACKOFF_MS = 2_000;

/**
 * One of several processes that could do a work only one must do. The office is a session's advisory lock: it falls free
 * the moment its holder's connection ends, however that happens. A holder that was merely stalled may come back: the work
 * itself must fence it.
 */
export class Candidate {
  #stopped = false;
  #running: Promise<void> | undefined;
  #ring = () => {};

  constructor(private readonly options: CandidateOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { databaseUrl, office, logger } = this.options;
    for (let failures = 0; !this.#stopped; ) {
      const client = new pg.Client({ connectionString: databaseUrl, application_name: office, keepAlive: true });
      let lost: Error | undefined;
      client.on("error", (error) => {
        lost = error;
        this.#ring();
      });
      client.on("end", () => {
        lost ??= new Error("the connection ended");
        this.#ring();
      });
      client.on("notification", () => this.#ring());
      const candidate = this;
      const term: Term = {
        client,
        wake: (ms) => this.#wake(ms),
        get over() {
          return candidate.#stopped || lost !== undefined;
        },
      };
      try {
        await client.connect();
        // A holder whose machine vanished must not hold the office for the system's two hours.
        await client.query(
          "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3",
        );
        if (await this.#elected(client, term)) {
          failures = 0;
          await this.options.lead(term);
        }
        if (lost && !this.#stopped) throw lost;
      } catch (error) {
        failures++;
        if (!this.#stopped) logger.warn(`${office} stepped down: ${(error as Error).message}`);
      } finally {
        await client.end().catch(() => {});
      }
      if (failures > 0) await this.#wake(Math.min(LONGEST_BACKOFF_MS, 100 * 2 ** failures));
    }
  }

  async #elected(client: pg.Client, term: Term): Promise<boolean> {
    while (!term.over) {
      const { rows } = await client.query(
        "SELECT pg_try_advisory_lock(hashtext('counterfoil'), hashtext($1)) AS mine",
        [this.options.office],
      );
      if (rows[0].mine) {
        // Before the first look at the work, so that none is missed between the two.
        for (const channel of this.options.channels) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
        return true;
      }
      await this.#wake(ELECTION_MS);
    }
    return false;
  }

  #rung = false;
  #wake(ms: number): Promise<void> {
    if (this.#stopped || this.#rung) {
      this.#rung = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#ring = () => {
          this.#rung = true;
        };
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#ring = done;
    });
  }
}
