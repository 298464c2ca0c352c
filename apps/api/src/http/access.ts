import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  SetMetadata,
} from "@nestjs/common";
import { Reflector } from "@nestjs/core";
import { ApiExtension, ApiSecurity } from "@nestjs/swagger";
import type { FastifyRequest } from "fastify";
import { Bus, BusFailure } from "#bus";
import { identityV1 } from "#contracts";
import { API_CONFIG, type ApiConfig } from "../api.config.js";
import { type Actor, systemCall } from "./caller.js";
import { Problem } from "./problem.js";
import { RateLimit } from "./rate-limit.js";

/**
 * Which roles may do what: `read` changes nothing, `decide` is a vote on an approval, `change` is everything else.
 * `approver:<group>` counts as `approver` here; the approval service knows which approvals are for which group.
 */
const MAY = {
  read: ["admin", "approver", "auditor"],
  decide: ["admin", "approver"],
  change: ["admin"],
} as const;

type Demand = keyof typeof MAY | "public";
const DEMAND = "counterfoil:access";

/** What a route asks of its caller. A route that says nothing asks for `change`. */
export const Access = (demand: Demand) =>
  demand === "public"
    ? applyDecorators(SetMetadata(DEMAND, demand), ApiSecurity({} as never))
    : applyDecorators(SetMetadata(DEMAND, demand), ApiSecurity("key"), ApiExtension("x-roles", MAY[demand]));

const POSITIVE_CACHE_MS = 5_000;
const POSITIVE_CACHE_SIZE = 1_000;

/** Turns `Authorization: Bearer cfk_…` into an actor and holds it against what the route demands. */
@Injectable()
export class AccessGuard implements CanActivate {
  /** By the key's hash. A revoked key works on for at most these few seconds. */
  private readonly known = new Map<string, { actor: Actor; until: number }>();
  private readonly failures: RateLimit;

  constructor(
    private readonly reflector: Reflector,
    @Inject(Bus) private readonly bus: Bus,
    @Inject(API_CONFIG) config: ApiConfig,
  ) {
    this.failures = new RateLimit(config.failedKeys.burst, config.failedKeys.perSecond);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const demand = this.reflector.getAllAndOverride<Demand | undefined>(DEMAND, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (demand === "public") return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const actor = await this.authenticate(request);
    const roles: readonly string[] = MAY[demand ?? "change"];
    if (!actor.roles.some((role) => roles.includes(role.replace(/^approver:.*$/s, "approver")))) {
      throw new Problem(
        "forbidden",
        `This needs the role ${roles.join(" or ")}${demand === "decide" ? " (or approver:<group> of the group that is asked)" : ""}; your key ${actor.name} has ${actor.roles.join(", ") || "none"}.`,
      );
    }
    request.actor = actor;
    return true;
  }

  private async authenticate(request: FastifyRequest): Promise<Actor> {
    const bearer = /^Bearer +(cfk_[A-Za-z0-9_]{1,200})$/i.exec(request.headers.authorization ?? "");
    if (!bearer) {
      throw new Problem(
        "unauthenticated",
        request.headers.authorization
          ? "The Authorization header is not `Bearer cfk_…`."
          : "There is no Authorization header.",
      );
    }
    const secret = bearer[1] as string;
    const hash = createHash("sha256").update(secret).digest("base64");
    const known = this.known.get(hash);
    if (known && known.until > Date.now()) return known.actor;
    this.known.delete(hash);

    const wait = this.failures.wait(request.ip);
    if (wait > 0) throw new Problem("rate_limited", "Too many wrong keys came from your address.", {}, wait);
    const actor = await this.ask(secret);
    if (!actor) {
      this.failures.take(request.ip);
      throw new Problem("unauthenticated", "The key is unknown or revoked.");
    }
    if (this.known.size >= POSITIVE_CACHE_SIZE) this.known.clear();
    this.known.set(hash, { actor, until: Date.now() + POSITIVE_CACHE_MS });
    return actor;
  }

  private async ask(secret: string): Promise<Actor | undefined> {
    const request = create(identityV1.AuthenticateAdminKeyRequestSchema, { secret });
    try {
      const { actor } = await this.bus.call(
        identityV1.Identity.method.authenticateAdminKey,
        request,
        systemCall("authentication"),
      );
      return actor && { id: actor.id, name: actor.name, roles: actor.roles };
    } catch (error) {
      if (error instanceof BusFailure && error.code !== "internal" && error.code !== "unavailable") return undefined;
      throw error;
    }
  }
}
