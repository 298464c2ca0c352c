import { Injectable } from "@nestjs/common";
import { Bus } from "#bus";
import { pushSubject } from "#contracts";

const MOST_A_PUSH = 1000;

/** Tells every enforcer what must close now. One that does not hear it learns when it renews its sessions. */
@Injectable()
export class Closing {
  constructor(private readonly bus: Bus) {}

  push(tokenIds: readonly string[], sessionIds: readonly string[], reason: string): void {
    for (let from = 0; from < Math.max(tokenIds.length, sessionIds.length); from += MOST_A_PUSH) {
      const value = {
        tokenIds: tokenIds.slice(from, from + MOST_A_PUSH),
        sessionIds: sessionIds.slice(from, from + MOST_A_PUSH),
        reason,
      };
      this.bus.push(pushSubject.all, { message: { case: "revoked", value } });
    }
  }
}
