import { fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Controller } from "@nestjs/common";
import { Rpc } from "#bus/nest";
import { auditV1, modelV1 } from "#contracts";
import { pageOf } from "#event-store-postgres";
import { AuditLog } from "../log/audit-log.js";
import { type CommandRow, SessionQueries, type SessionRow } from "../projections/session-queries.js";

const DEFAULT_ENTRIES = 100;
const MOST_ENTRIES = 1_000;
/** Well below the bus's largest message. */
const ENTRIES_BYTES = 2 << 20;

@Controller()
export class AuditController {
  constructor(
    private readonly log: AuditLog,
    private readonly sessions: SessionQueries,
  ) {}

  @Rpc(auditV1.Audit.method.listEntries)
  async listEntries(
    request: auditV1.ListEntriesRequest,
  ): Promise<MessageInitShape<typeof auditV1.ListEntriesResponseSchema>> {
    const limit = Math.min(request.limit || DEFAULT_ENTRIES, MOST_ENTRIES);
    // The head first: every entry up to it can then be read.
    const head = await this.log.head();
    const after = Number(request.after);
    const entries = after >= head ? [] : await this.log.read(after, limit, ENTRIES_BYTES);
    return {
      head: BigInt(head),
      entries: entries.map((entry) => ({
        index: BigInt(entry.index),
        time: timestampFromDate(entry.time),
        origin: entry.origin,
        type: entry.type,
        sessionId: entry.sessionId,
        json: entry.json,
        leafHash: entry.leafHash,
      })),
    };
  }

  @Rpc(auditV1.Audit.method.listSessions)
  async listSessions(
    request: auditV1.ListSessionsRequest,
  ): Promise<MessageInitShape<typeof auditV1.ListSessionsResponseSchema>> {
    const { status, resource, principalId, page } = request;
    const { items, next } = await this.sessions.list({ status, resource, principalId }, pageOf(page));
    return { sessions: items.map(sessionMessage), next };
  }

  @Rpc(auditV1.Audit.method.getSession)
  async getSession(
    request: auditV1.GetSessionRequest,
  ): Promise<MessageInitShape<typeof auditV1.GetSessionResponseSchema>> {
    const { session, commands } = await this.sessions.get(request.id);
    return { session: sessionMessage(session), commands: commands.map(commandMessage) };
  }
}

function sessionMessage(row: SessionRow): MessageInitShape<typeof auditV1.SessionSchema> {
  return {
    id: row.id,
    status: row.status,
    principal: fromJson(modelV1.PrincipalSchema, row.principal as JsonValue, { ignoreUnknownFields: true }),
    resource: row.resource,
    protocol: row.protocol,
    tokenId: row.token_id,
    enforcerId: row.enforcer_id,
    clientAddress: row.client_address,
    clientApplication: row.client_application,
    startedAt: timestampFromDate(row.started_at),
    ...(row.ended_at && { endedAt: timestampFromDate(row.ended_at) }),
    endedBecause: row.ended_because,
    commands: BigInt(row.commands),
    refused: BigInt(row.refused),
    valuesMasked: BigInt(row.values_masked),
  };
}

function commandMessage(row: CommandRow): MessageInitShape<typeof auditV1.CommandSchema> {
  return {
    ordinal: BigInt(row.ordinal),
    statement: row.statement,
    parameters: row.parameters,
    actions: row.actions,
    tablesRead: row.tables_read,
    tablesWritten: row.tables_written,
    verdict: row.verdict,
    status: row.status,
    policies: row.policies,
    policyEpoch: BigInt(row.policy_epoch),
    approvalId: row.approval_id,
    rows: BigInt(row.rows),
    bytes: BigInt(row.bytes),
    valuesMasked: BigInt(row.values_masked),
    durationUs: BigInt(row.duration_us),
    errorCode: row.error_code,
    reason: row.reason,
    at: timestampFromDate(row.at),
  };
}
