import { create, toBinary } from "@bufbuild/protobuf";
import { Injectable, Logger } from "@nestjs/common";
import { Bus } from "#bus";
import { AUDIT_APPENDED, auditV1 } from "#contracts";
import { AuditLog } from "../log/audit-log.js";

/** Tells whoever follows the log that it has grown. A hint: they read the log. */
@Injectable()
export class Announcer {
  #busy = false;
  #again = false;

  constructor(
    private readonly bus: Bus,
    private readonly log: AuditLog,
  ) {}

  /** Called after a commit; several calls at once make one announcement. */
  announce(): void {
    this.#again = true;
    if (!this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#again) {
        this.#again = false;
        const head = BigInt(await this.log.head());
        const message = create(auditV1.ListEntriesResponseSchema, { head });
        this.bus.nats.publish(AUDIT_APPENDED, toBinary(auditV1.ListEntriesResponseSchema, message));
      }
    } catch (error) {
      new Logger(Announcer.name).warn(`the log's growth could not be announced: ${(error as Error).message}`);
    } finally {
      this.#busy = false;
    }
  }
}
