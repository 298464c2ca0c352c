import { join } from "node:path";
import { removePostgres, startNats, startPostgres } from "#embedded";
import { API_DEFAULTS, startApi } from "../../api/src/index.js";
import { ControlApi } from "./control-api.js";
import { type ControlPlane, startControlPlane } from "./control-plane.js";
import { Demo } from "./demo/demo.js";
import { prepareNode } from "./enforcer-node.js";
import { EnforcerProcess } from "./enforcer-process.js";
import type { Installation } from "./installation.js";
import type { StandaloneConfig } from "./standalone.config.js";
import type { StateFolder } from "./state-folder.js";

const GROUP = "demo";

export interface Started {
  readonly api: string;
  /** Only when it was made by this start. */
  readonly firstKey: string | null;
  readonly state: string;
  /** Resolves, with what to tell, when a part without which nothing works has ended. */
  readonly failed: Promise<string>;
}

/** Starts every part in order, once `state` and the ports are claimed; each is remembered in `installation`, so that a failure halfway stops what ran. */
export async function startEverything(
  config: StandaloneConfig,
  state: StateFolder,
  installation: Installation,
  { project, say }: { readonly project: string; readonly say: (line: string) => void },
): Promise<Started> {
  const { host } = config;
  if (config.reset) forget(state);
  const postgres = await installation.start(
    "PostgreSQL",
    () => startPostgres({ folder: state.folder("postgres") }),
    (server) => server.stop(),
  );
  await postgres.createDatabase("counterfoil");
  const nats = await installation.start(
    "nats-server",
    () => startNats({ folder: state.folder("nats"), keys: state.folder("keys", "nats") }),
    (server) => server.stop(),
  );
  const control = await installation.start(
    "identity, tokens, policy, approval, audit",
    () =>
      startControlPlane({
        databaseUrl: postgres.url("counterfoil"),
        natsUrl: nats.url,
        credentialsFile: nats.credentials.control,
        keys: state.folder("keys"),
      }),
    (services) => services.close(),
  );
  const { url } = await installation.start(
    "api",
    () => startApi({ ...API_DEFAULTS, host, port: config.apiPort }, control.bus),
    (server) => server.close(),
  );
  const demo = new Demo(state, {
    sources: join(project, "deploy/demo"),
    host,
    issuerPort: config.issuerPort,
    postgres: { port: postgres.port, adminUrl: postgres.url("postgres") },
  });
  const { key, first } = await adminKey(control, state, (key) => ({ api: url, key, identities: demo.cliIdentities() }));
  const api = new ControlApi(url, key);

  await installation.start(
    "demo issuer and shop",
    async () => {
      await demo.prepareShop();
      return demo.startIssuer();
    },
    (issuer) => issuer.stop(),
  );
  await demo.declare(api);
  const nodeConfig = await prepareNode(state, api, {
    name: `${GROUP}-1`,
    group: GROUP,
    natsUrl: nats.url,
    listener: { protocol: "postgres", host, port: config.postgresPort },
    allowPlaintext: config.allowPlaintext,
  });
  await installation.start(
    "enforcer",
    () => EnforcerProcess.start(join(project, "dist/apps/enforcer/src/main.js"), nodeConfig, say),
    (enforcer) => enforcer.stop(),
  );
  return {
    api: url,
    firstKey: first ? key : null,
    state: config.state,
    failed: Promise.race([
      postgres.exited.then(() => `PostgreSQL has ended; its log is ${postgres.log}`),
      nats.exited.then(() => `nats-server has ended; its log is ${nats.log}`),
    ]),
  };
}

function forget(state: StateFolder): void {
  removePostgres(state.folder("postgres"));
  state.empty();
}

/** The installation's own admin key: the first one, told once, which the CLI's file keeps; another if it is lost or revoked. */
async function adminKey(
  control: ControlPlane,
  state: StateFolder,
  cliSettings: (key: string) => unknown,
): Promise<{ readonly key: string; readonly first: boolean }> {
  const file = state.file("cli.json");
  const first = await control.firstAdminKey();
  const kept = first === null ? state.readJson<{ readonly key: string }>(file) : null;
  const good = kept !== null && (await control.administers(kept.key));
  const key = first ?? (good ? kept.key : await control.anotherAdminKey());
  state.writePrivate(file, `${JSON.stringify(cliSettings(key), null, 2)}\n`);
  return { key, first: first !== null };
}
