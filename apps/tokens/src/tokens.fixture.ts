import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Controller, Module } from "@nestjs/common";
import pg from "pg";
import type { Bus } from "#bus";
import { type BusCall, Rpc, type RunningService, startService } from "#bus/nest";
import { type CallContext, edgeV1, identityV1, modelV1, policyV1, pushSubject, tokensV1 } from "#contracts";
import { Refused } from "#event-store";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { TokensModule } from "./tokens.module.js";

const { mint, getToken } = tokensV1.Tokens.method;
const { lookup, redeem, renew } = edgeV1.EdgeTokens.method;

export const ENFORCER = "e1";

export const context = (): CallContext => ({
  actor: { id: "ada", name: "Ada", roles: ["admin"] },
  commandId: randomUUID(),
});

export const principal = (over: Partial<modelV1.Principal> = {}) =>
  create(modelV1.PrincipalSchema, {
    ...{ id: "ci|build", issuer: "ci", subject: "build", name: "build", groups: ["ci"], run: "7", onBehalfOf: ["ada"] },
    ...over,
  });

export const ask = (over: MessageInitShape<typeof tokensV1.MintRequestSchema> = {}) => ({
  ...{ principal: principal(), resource: "shop", protocol: "postgres", scope: ["sql:read"] },
  ...over,
});

/** What identity and policy know: everything is of the group `edge`, but what is named `elsewhere`. */
@Controller()
class NeighboursApi {
  @Rpc(identityV1.Identity.method.getEnforcer)
  async enforcer({ id }: identityV1.GetEnforcerRequest, _: BusCall) {
    if (id === "unheard-of") throw new Refused("not_found", "there is no such enforcer");
    return { id, group: id === "elsewhere" ? "elsewhere" : "edge", removed: id === "removed" };
  }
  @Rpc(policyV1.Policy.method.getResource)
  async resource({ name }: policyV1.GetResourceRequest, _: BusCall) {
    if (name === "deleted") throw new Refused("not_found", "there is no such resource");
    return { name, group: "edge" };
  }
}
@Module({ controllers: [NeighboursApi] })
class Neighbours {}

/** Two replicas of the tokens service, so that every race is one between processes too, on servers of their own. */
export class RunningTokens {
  now = Date.UTC(2030, 0, 1);
  heard: edgeV1.Revoked[] = [];
  readonly keys = mkdtempSync(join(tmpdir(), "counterfoil-test-keys-"));
  readonly #services: RunningService[] = [];

  private constructor(
    readonly bus: Bus,
    readonly sql: pg.Client,
    readonly databaseUrl: string,
    private readonly nats: FreshNats,
    private readonly database: FreshDatabase,
  ) {}

  static async start(): Promise<RunningTokens> {
    const [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
    const { url } = database;
    const sql = new pg.Client({ connectionString: url });
    const tokens = new RunningTokens(await nats.connect("test"), sql, url, nats, database);
    const { bus } = tokens;
    await Promise.all([tokens.#startOne(), tokens.#startOne()]);
    tokens.#services.push(await startService({ bus, modules: [Neighbours], logger: false }));
    bus.subscribePush([pushSubject.all], ({ message }) => {
      if (message.case === "revoked") tokens.heard.push(message.value);
    });
    await bus.nats.flush();
    await sql.connect();
    return tokens;
  }

  async drop(): Promise<void> {
    await this.sql.end();
    await Promise.all(this.#services.map((service) => service.close()));
    await this.nats.drop();
    await this.database.drop();
    rmSync(this.keys, { recursive: true, force: true });
  }

  async mintOne(over: MessageInitShape<typeof tokensV1.MintRequestSchema> = {}) {
    const { token, text } = await this.bus.call(mint, ask(over), context());
    return { id: token!.id, token: token!, text };
  }

  async redeemOnce(tokenId: string, sessionId: string = randomUUID(), enforcer = ENFORCER) {
    const request = { tokenId, sessionId, protocol: "postgres", clientAddress: "10.0.0.7", clientApplication: "psql" };
    const { outcome } = await this.bus.callEdge(redeem, enforcer, request);
    return outcome.case === "lease" ? { lease: outcome.value } : { refused: outcome.value };
  }

  async statusOf(id: string) {
    return tokensV1.TokenStatus[(await this.bus.call(getToken, { id }, context())).status];
  }

  /** `found`, or why not. */
  async lookedUp(tokenId: string, protocol = "postgres") {
    const { found, verifier, refused } = await this.bus.callEdge(lookup, ENFORCER, { tokenId, protocol });
    expect(verifier === "").toBe(!found);
    return found ? "found" : refused;
  }

  async endedOf(sessionIds: string[], enforcer = ENFORCER) {
    const { ended } = await this.bus.callEdge(renew, enforcer, { sessionIds });
    return ended.map(({ sessionId, reason }) => [sessionId, reason]);
  }

  async pushed() {
    await this.bus.nats.flush();
    for (let wait = 0; this.heard.length === 0 && wait < 200; wait++) await new Promise((r) => setTimeout(r, 10));
    return this.heard;
  }

  async #startOne(): Promise<void> {
    const module = TokensModule.register({ databaseUrl: this.databaseUrl, keys: this.keys }, () => this.now);
    this.#services.push(
      await startService({ bus: await this.nats.connect("tokens"), modules: [module], logger: false }),
    );
  }
}
