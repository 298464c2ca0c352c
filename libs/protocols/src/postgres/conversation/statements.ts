import { ByteReader } from "#bytes";
import type { MaskPlan } from "#commands";
import type { Prepared } from "../../protocol.js";
import type { RunningCommand } from "../commands.js";
import { decodeRowDescription, formatOf } from "../decoder.js";
import type { Bind, RowDescription } from "../messages.js";
import { type Masks, masksFor, planOf } from "../rewrite/masks.js";

/** A prepared statement, made by Parse or by SQL PREPARE. */
export interface Statement {
  readonly prepared: Prepared;
  /** What it returns: null for nothing; undefined while nobody has asked. Its formats say nothing. */
  columns?: RowDescription | null;
  /** A description is known or under way. */
  asked: boolean;
  /** How its last portal looked: the next one mostly looks the same, and then nothing is worked out again. */
  look?: Look;
}

interface Look {
  /** Of the RowDescription. */
  readonly body: Uint8Array;
  readonly columns: RowDescription;
  plan?: MaskPlan;
  masks?: Masks;
}

/** A statement bound to its values, ready to run. */
export interface Portal {
  readonly statement: Statement;
  readonly bind: Bind;
  readonly segment: number;
  /** SQL made it: each Execute of it is a command of its own. */
  readonly cursor: boolean;
  /** The command it runs as; replaced where the policy has changed since. */
  command: RunningCommand;
  /** The policy it was let through under; -1 where it has to ask again. */
  epoch: number;
  /** The version of the names that it runs by; null where it runs by none. */
  names: number | null;
  /** How many runs had been sent when it was last known to be what it is. */
  runs: number;
  /** An Execute was sent. */
  ran: boolean;
  /** It has completed: whatever is asked of it, it runs nothing any more. */
  atEnd: boolean;
  /** It was there before the first savepoint of its transaction. */
  beforeSavepoints: boolean;
  /** Its own description, with true formats: null for no rows; undefined while unknown. */
  columns: RowDescription | null | undefined;
  asked: boolean;
  /** Worked out at the first row. */
  masks: Masks | undefined;
}

/** One that has been sent and not run. */
export const boundPortal = (
  statement: Statement,
  bind: Bind,
  command: RunningCommand,
  { segment, epoch, runs }: Pick<Portal, "segment" | "epoch" | "runs">,
  cursor = false,
): Portal => ({
  statement,
  bind,
  segment,
  cursor,
  command,
  epoch,
  names: null,
  runs,
  ran: false,
  atEnd: false,
  beforeSavepoints: false,
  columns: undefined,
  asked: false,
  masks: undefined,
});

/** What a RowDescription says of a portal of the statement: the same object as the last time where it says the same. */
export function lookOf(statement: Statement, description: ByteReader): RowDescription {
  if (!statement.look || !description.restIs(statement.look.body)) {
    const body = Uint8Array.from(description.rest());
    statement.look = { body, columns: decodeRowDescription(new ByteReader(body)) };
  }
  return statement.look.columns;
}

/** What hides the portal's rows, by the plan it runs under; undefined where nobody has described it. */
export function portalMasks(portal: Portal): Masks | undefined {
  const described = describedPortal(portal);
  if (!described) return undefined;
  const plan = planOf(portal.command.plan, 0);
  const { look } = portal.statement;
  if (look?.columns !== described) return masksFor(plan, described);
  if (look.plan !== plan) {
    look.masks = masksFor(plan, described);
    look.plan = plan;
  }
  return look.masks;
}

/** What the portal's rows look like, formats included; null for no rows; undefined while unknown. */
function describedPortal(portal: Portal): RowDescription | null | undefined {
  if (portal.columns !== undefined) return portal.columns;
  const columns = portal.statement.columns;
  return (
    columns?.map((column, index) => ({
      ...column,
      type: { oid: column.type.oid, format: formatOf(portal.bind.resultFormats, index) },
    })) ?? columns
  );
}

/** A portal that SQL made: nothing of it is known but its name, so it is asked about each time. */
export function cursorPortal(
  text: string,
  command: RunningCommand,
  now: Pick<Portal, "segment" | "epoch" | "runs">,
): Portal {
  const bind: Bind = { portal: "", statement: "", values: [], resultFormats: [] };
  return boundPortal({ prepared: { text }, asked: false }, bind, command, now, true);
}
