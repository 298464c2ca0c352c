import type { RunningCommand } from "../commands.js";
import { formatOf } from "../decoder.js";
import type { Bind, RowDescription } from "../messages.js";
import type { Masks } from "../rewrite/masks.js";

/** A prepared statement, made by Parse or by SQL PREPARE. */
export interface Statement {
  readonly text: string;
  /** What it returns: null for nothing; undefined while nobody has asked. Its formats say nothing. */
  columns?: RowDescription | null;
  /** A description is known or under way. */
  asked: boolean;
}

/** A statement bound to its values, ready to run. */
export interface Portal {
  readonly statement: Statement;
  readonly bind: Bind;
  readonly segment: number;
  /** The command it runs as; replaced where the policy has changed since. */
  command: RunningCommand;
  /** The policy it was let through under; -1 where it has to ask again. */
  epoch: number;
  /** How many runs had been sent when it was last known to be what it is. */
  runs: number;
  /** An Execute was sent. */
  ran: boolean;
  /** Its own description, with true formats. */
  columns?: RowDescription | null;
  asked: boolean;
  /** Worked out at the first row. */
  masks?: Masks;
}

/** What the portal's rows look like, formats included; null for no rows; undefined while unknown. */
export function describedPortal(portal: Portal): RowDescription | null | undefined {
  if (portal.columns !== undefined) return portal.columns;
  const columns = portal.statement.columns;
  return (
    columns?.map((column, index) => ({
      ...column,
      type: { oid: column.type.oid, format: formatOf(portal.bind.resultFormats, index) },
    })) ?? columns
  );
}
