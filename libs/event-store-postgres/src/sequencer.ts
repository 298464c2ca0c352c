import { Candidate, type Logger } from "./candidate.js";

const BATCH = 1_000;
const POLL_MS = 1_000;

/**
 * Gives every appended event its place in the global order. Each process may run one: a single one leads, and a leader that
 * was taken for dead is fenced by the epoch its successor raised.
 */
export class Sequencer extends Candidate {
  constructor(options: { readonly databaseUrl: string; readonly logger: Logger }) {
    super({
      ...options,
      office: "counterfoil/sequencer",
      channels: ["es_pending"],
      async lead(term) {
        const raised = await term.client.query("UPDATE es.head SET epoch = epoch + 1 RETURNING epoch");
        const { epoch } = raised.rows[0];
        while (!term.over) {
          const { rows } = await term.client.query("SELECT es.sequence($1, $2) AS placed", [epoch, BATCH]);
          // The notification can be lost with a connection, so it is asked for again now and then.
          if (rows[0].placed === 0) await term.wake(POLL_MS);
        }
      },
    });
  }
}
