import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../api-client.js";
import { CliFailure } from "../failure.js";

interface Approved {
  readonly id: string;
  readonly session_id: string;
  readonly status: string;
  readonly ended_because: string;
}
interface LoggedCommand {
  readonly approval_id: string;
  readonly status: string;
  readonly error_code: string;
  readonly reason: string;
}

/** A command that is let through is usually in the log by then; one that runs on is no reason to wait for it. */
const LOOKS = 8;
const PAUSE_MS = 250;

/**
 * What has become of an approval, and of its command: an approval is only recorded by the control plane; its command may be
 * gone by then, or have become another, and does not run.
 */
export async function becomes(client: ApiClient, approval: Approved): Promise<string> {
  let latest = approval;
  let command: LoggedCommand | undefined;
  for (let look = 0; look < LOOKS; look++) {
    await sleep(PAUSE_MS);
    [latest, command] = await Promise.all([
      client.get<Approved>(`/v1/approvals/${encodeURIComponent(approval.id)}`),
      logged(client, approval),
    ]);
    if (latest.status === "withdrawn" || isOver(command)) break;
  }
  return sentence(latest, command);
}

/** Undefined where the log has not come so far, or the key does not open it. */
async function logged(client: ApiClient, { id, session_id }: Approved): Promise<LoggedCommand | undefined> {
  try {
    const path = `/v1/sessions/${encodeURIComponent(session_id)}`;
    const { command_log } = await client.get<{ readonly command_log: readonly LoggedCommand[] }>(path);
    return command_log.find(({ approval_id }) => approval_id === id);
  } catch (error) {
    if (error instanceof CliFailure) return undefined;
    throw error;
  }
}

const isOver = (command: LoggedCommand | undefined) =>
  command !== undefined && command.status !== "held" && command.status !== "running";

function sentence({ status, ended_because: because }: Approved, command: LoggedCommand | undefined): string {
  const approved = (what: string) => `approved, and the command ${what}`;
  switch (command?.status) {
    case "done":
      return approved("has run");
    case "failed":
      return approved(`failed (${[command.error_code, command.reason].filter(Boolean).join(" ")})`);
    case "running":
      return approved("is running");
    case "unknown":
      return status === "consumed"
        ? approved("was let through, but its session ended before the answer")
        : "approved, but the command's session is gone, and no record says that it was let through";
    case "refused":
      return `approved, but the command did not run (${command.reason || because})`;
    default:
  }
  if (status === "withdrawn") return `approved, but the command did not run (${because || "it was withdrawn"})`;
  if (status === "consumed") return approved("has been let through");
  return "approved; its command has not run so far, and runs once its enforcer has learned of it, if it still waits";
}
