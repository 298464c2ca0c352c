import { type Command, Option } from "commander";
import type { ApiClient } from "../api-client.js";
import type { Context } from "../context.js";
import { CliFailure, EXIT } from "../failure.js";
import { facts, json, moment, shortened, table } from "../output.js";
import { wholeId } from "../short-id.js";
import { becomes } from "./approved.js";

interface Approval {
  readonly id: string;
  readonly status: string;
  readonly requester?: { readonly id: string; readonly run: string };
  readonly resource: string;
  readonly session_id: string;
  readonly statement: string;
  readonly parameters: readonly string[];
  readonly policies: readonly string[];
  readonly approvers: string;
  readonly quorum: number;
  readonly reason: string;
  readonly ended_because: string;
  readonly replaces?: string;
  readonly replaced_by?: string;
  readonly requested_at?: string;
  readonly expires_at?: string;
  readonly votes: readonly {
    readonly by?: { readonly name: string };
    readonly approve: boolean;
    readonly reason: string;
  }[];
}

const STATUSES = ["pending", "approved", "rejected", "expired", "withdrawn", "consumed"];

const APPROVALS = "/v1/approvals";
const pathOf = (id: string) => `${APPROVALS}/${encodeURIComponent(id)}`;

export function addApprovals(program: Command, { client, print }: Context): void {
  const approvals = program.command("approvals").description("what waits for a person");
  approvals
    .command("ls")
    .description("list them; those that wait unless --status or --all says otherwise")
    .addOption(new Option("--status <status>", "only these").choices(STATUSES))
    .option("--all", "whatever their status")
    .option("--resource <name>", "only of this resource")
    .option("--json")
    .action(async (options: { status?: string; all?: boolean; resource?: string; json?: boolean }) => {
      const status = options.all ? undefined : (options.status ?? "pending");
      const found = await client().list<Approval>(APPROVALS, { status, resource: options.resource });
      print(options.json ? json(found) : found.length === 0 ? "nothing waits" : listed(found));
    });
  approvals
    .command("show <id>")
    .description("the exact command, and how it stands; the beginning of its id will do")
    .option("--json")
    .action(async (id: string, options: { json?: boolean }) => {
      const approval = await client().get<Approval>(pathOf(await wholeId(client(), APPROVALS, id)));
      print(options.json ? json(approval) : shown(approval));
    });
  for (const decision of ["approve", "reject"] as const) {
    approvals
      .command(`${decision} <id>`)
      .description(
        `${decision === "approve" ? "let the command through" : "refuse the command"}; the beginning of its id will do`,
      )
      .option(
        "--reason <text>",
        decision === "approve" ? "why; it is recorded" : "why; it is recorded, and the requester is told",
      )
      .option("--json")
      .action(async (id: string, { reason = "", json: asJson }: { reason?: string; json?: boolean }) => {
        // What waits comes first: nothing else can be decided.
        const path = pathOf(await wholeId(client(), APPROVALS, id, [{ status: "pending" }, {}]));
        const approval = await client()
          .change<Approval>("POST", `${path}/decision`, { json: { decision, reason } })
          .catch(async (error) => Promise.reject(await withRole(error, client(), path)));
        if (asJson) return print(json(approval));
        const became = approval.status === "approved" ? await becomes(client(), approval) : standing(approval);
        print(`${approval.id} is ${became}: ${shortened(approval.statement)}`);
      });
  }
}

/** Whoever may not decide is told which role would do. */
async function withRole(error: unknown, client: ApiClient, path: string): Promise<unknown> {
  if (!(error instanceof CliFailure) || error.exitCode !== EXIT.denied || /someone else/.test(error.message))
    return error;
  const { approvers } = await client.get<Approval>(path).catch(() => ({ approvers: undefined }));
  if (approvers === undefined) return error;
  const group = approvers === "" ? "" : `; approver:${approvers} is enough`;
  return new CliFailure(error.message, error.exitCode, `A key with the role admin or approver can decide it${group}.`);
}

const standing = ({ status, votes, quorum, ended_because: because }: Approval) => {
  if (status === "pending") return `pending (${votes.filter(({ approve }) => approve).length} of ${quorum} approved)`;
  return because ? `${status} (${because})` : status;
};

const listed = (found: readonly Approval[]) =>
  table(found, [
    { title: "id", of: ({ id }) => id },
    { title: "status", of: (approval) => standing({ ...approval, ended_because: "" }) },
    { title: "expires", of: ({ expires_at }) => moment(expires_at) },
    { title: "requester", of: ({ requester }) => requester?.id },
    { title: "resource", of: ({ resource }) => resource },
    { title: "statement", of: ({ statement }) => shortened(statement) },
  ]);

const shown = (approval: Approval) =>
  facts([
    ["id", approval.id],
    ["status", standing(approval)],
    ["requester", approval.requester?.id],
    ["run", approval.requester?.run],
    ["resource", approval.resource],
    ["session", approval.session_id],
    ["statement", approval.statement],
    ...approval.parameters.map((value, n) => [`$${n + 1}`, value] as const),
    ["policies", approval.policies],
    ["because", approval.reason],
    ...(approval.replaces ? [["in place of", approval.replaces] as const] : []),
    ...(approval.replaced_by ? [["replaced by", approval.replaced_by] as const] : []),
    ["approvers", approval.approvers || "any"],
    ["requested", moment(approval.requested_at)],
    ["expires", moment(approval.expires_at)],
    ...approval.votes.map(
      ({ by, approve, reason }) => [approve ? "approved by" : "rejected by", `${by?.name ?? "?"} ${reason}`] as const,
    ),
  ]);
