import { create, toBinary } from "@bufbuild/protobuf";
import { Injectable } from "@nestjs/common";
import { Bus } from "#bus";
import { AUDIT_APPENDED, auditV1 } from "#contracts";

/** Tells whoever follows the log that it has grown. A hint: they read the log. */
@Injectable()
export class Announcer {
  constructor(private readonly bus: Bus) {}

  /** Called after a commit, with the newest index there is. */
  announce(head: number): void {
    const message = create(auditV1.ListEntriesResponseSchema, { head: BigInt(head) });
    this.bus.nats.publish(AUDIT_APPENDED, toBinary(auditV1.ListEntriesResponseSchema, message));
  }
}
