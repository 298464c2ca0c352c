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
/** A failure after this long is another failure. */
const LASTING_MS = 30_000;

/**
 * One of several processes that could do a work only one must do. The office is a session's advisory lock: it falls free
 * the moment its holder's connection ends, however that happens. A holder that was merely stalled may come back: the work
 * itself must fence it.
 */
export class Candidate {
  #stopped = false;
  #running: Promise<void> | undefined;
  #interrupt = () => {};

  constructor(private readonly options: CandidateOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#interrupt();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { office, logger } = this.options;
    for (let failures = 0; !this.#stopped; ) {
      const begun = Date.now();
      try {
        await this.#serve();
      } catch (error) {
        if (this.#stopped) return;
        if (Date.now() - begun > LASTING_MS) failures = 0;
        if (failures++ === 0) logger.warn(`${office} stepped down, and tries again: ${(error as Error).message}`);
        await this.#pause(Math.min(LONGEST_BACKOFF_MS, 50 * 2 ** failures));
      }
    }
  }

  /** From one connection's beginning to its end. */
  async #serve(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.options.databaseUrl,
      application_name: this.options.office,
      connectionTimeoutMillis: 5_000,
      query_timeout: 30_000,
    });
    const bell = new Bell();
    let lost: Error | undefined;
    client.on("notification", () => bell.ring());
    client.on("error", (error) => {
      lost ??= error;
      bell.ring();
    });
    client.on("end", () => {
      lost ??= new Error("the connection ended");
      bell.ring();
    });
    const over = () => this.#stopped || lost !== undefined;
    const term: Term = {
      client,
      wake: (ms) => bell.rung(ms),
      get over() {
        return over();
      },
    };
    this.#interrupt = () => bell.ring();
    try {
      await client.connect();
      // A holder whose machine vanished must not hold the office for the system's two hours.
      await client.query("SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3");
      if (await this.#elected(term)) await this.options.lead(term);
      if (lost) throw lost;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async #elected(term: Term): Promise<boolean> {
    while (!term.over) {
      const { rows } = await term.client.query(
        "SELECT pg_try_advisory_lock(hashtext('counterfoil'), hashtext($1)) AS mine",
        [this.options.office],
      );
      if (rows[0].mine) {
        // Before the first look at the work, so that none is missed between the two.
        for (const channel of this.options.channels) await term.client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
        return true;
      }
      await term.wake(ELECTION_MS);
    }
    return false;
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    const bell = new Bell();
    this.#interrupt = () => bell.ring();
    return bell.rung(ms);
  }
}

/** Rung before it is listened to, it is heard all the same. */
class Bell {
  #pending = false;
  #heard: (() => void) | undefined;

  ring(): void {
    if (this.#heard) this.#heard();
    else this.#pending = true;
  }

  /** Resolves when it has rung since the last time, and after `ms` at the latest. */
  async rung(ms: number): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#heard = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#heard = undefined;
    }
    this.#pending = false;
  }
}
