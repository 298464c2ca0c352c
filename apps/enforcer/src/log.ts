import { type Logger, pino } from "pino";

export type Log = Pick<Logger, "info" | "warn" | "error" | "debug">;

/** To stderr, one JSON object a line. Statements, parameters and secrets never go here: those belong to the records. */
export const createLog = (level: string): Log =>
  pino({ name: "enforcer", level }, pino.destination({ dest: 2, sync: true }));
