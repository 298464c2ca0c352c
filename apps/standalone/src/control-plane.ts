import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Bus, connectBus, ensureStreams } from "#bus";
import { type RunningService, startService } from "#bus/nest";
import { identityV1 } from "#contracts";
import { Refused } from "#event-store";
import { ApprovalModule } from "../../approval/src/approval.module.js";
import { AuditModule } from "../../audit/src/audit.module.js";
import { Authentication } from "../../identity/src/admin-keys/authentication.js";
import { FirstAdminKey } from "../../identity/src/admin-keys/first-admin-key.js";
import { IdentityModule } from "../../identity/src/identity.module.js";
import { PolicyModule } from "../../policy/src/policy.module.js";
import { TokensModule } from "../../tokens/src/tokens.module.js";

export interface ControlPlane {
  readonly bus: Bus;
  /** The text of the installation's first admin key where there was none before. */
  firstAdminKey(): Promise<string | null>;
  /** Whether a key may administer. */
  administers(key: string): Promise<boolean>;
  /** The text of a further one, for an installation whose first is lost or revoked. */
  anotherAdminKey(): Promise<string>;
  close(): Promise<void>;
}

/** Every control service on one connection, in this process. */
export async function startControlPlane(options: {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly credentialsFile: string;
  readonly keys: string;
}): Promise<ControlPlane> {
  const { databaseUrl, keys, natsUrl } = options;
  const bus = await connectBus({
    url: natsUrl,
    name: "standalone",
    credentials: await readFile(options.credentialsFile, "utf8"),
  });
  let service: RunningService;
  try {
    await ensureStreams(bus);
    const shared = { databaseUrl, keys, poolSize: 4 };
    service = await startService({
      bus,
      modules: [
        IdentityModule.register({ ...shared, natsUrl }),
        TokensModule.register(shared),
        PolicyModule.register({ ...shared, leaseSeconds: 15 }),
        ApprovalModule.register(shared),
        AuditModule.register(shared),
      ],
    });
  } catch (error) {
    await bus.close();
    throw error;
  }
  return {
    bus,
    firstAdminKey: () => service.app.get(FirstAdminKey, { strict: false }).ensure(),
    administers: (key) =>
      service.app
        .get(Authentication, { strict: false })
        .actorOf(key)
        .then(
          ({ roles }) => roles.includes("admin"),
          (error) => (error instanceof Refused ? false : Promise.reject(error)),
        ),
    anotherAdminKey: async () => {
      const actor = { id: "system", name: "counterfoil", roles: [] };
      const request = { name: "recovered", roles: ["admin", "approver", "auditor"] };
      const call = { actor, commandId: randomUUID() };
      return (await bus.call(identityV1.Identity.method.createAdminKey, request, call)).secret;
    },
    close: async () => {
      await service.close();
      await bus.close();
    },
  };
}
