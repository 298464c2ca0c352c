import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JWK } from "jose";
import { startNats, startPostgres } from "#embedded";
import { API_DEFAULTS, startApi } from "../../api/src/index.js";
import { ControlApi } from "./control-api.js";
import { startControlPlane } from "./control-plane.js";
import { demoDocument } from "./demo/document.js";
import { demoIdentities } from "./demo/identities.js";
import { newIssuerKey, startDemoIssuer } from "./demo/issuer.js";
import { prepareShop } from "./demo/shop.js";
import { EnforcerProcess } from "./enforcer-process.js";
import type { Installation } from "./installation.js";
import { requireFreePort } from "./ports.js";
import type { StandaloneConfig } from "./standalone.config.js";
import { StateFolder } from "./state-folder.js";

const GROUP = "demo";

export interface Started {
  readonly api: string;
  /** Only when it was made by this start. */
  readonly firstKey: string | null;
  readonly state: string;
  /** Resolves, with what to tell, when a part without which nothing works has ended by itself. */
  readonly failed: Promise<string>;
}

/** Starts every part in order; each is remembered in `installation`, so that a failure halfway stops what ran. */
export async function startEverything(
  config: StandaloneConfig,
  installation: Installation,
  { project, say }: { readonly project: string; readonly say: (line: string) => void },
): Promise<Started> {
  const state = await installation.start(
    `state in ${config.state}`,
    async () => StateFolder.take(config.state, config.reset),
    async (folder) => folder.release(),
  );
  await requireFreePort(config.host, config.apiPort, "COUNTERFOIL_API_PORT");
  await requireFreePort(config.host, config.issuerPort, "COUNTERFOIL_ISSUER_PORT");
  await requireFreePort(config.host, config.postgresPort, "COUNTERFOIL_POSTGRES_PORT");
  const postgres = await installation.start(
    "PostgreSQL",
    () => startPostgres({ folder: state.folder("postgres") }),
    (server) => server.stop(),
  );
  const keys = state.folder("keys");
  const nats = await installation.start(
    "nats-server",
    () => startNats({ folder: state.folder("nats"), keys: state.folder("keys", "nats") }),
    (server) => server.stop(),
  );
  await postgres.createDatabase("counterfoil");
  const control = await installation.start(
    "identity, tokens, policy, approval, audit",
    () =>
      startControlPlane({
        databaseUrl: postgres.url("counterfoil"),
        natsUrl: nats.url,
        credentialsFile: nats.credentials.control,
        keys,
      }),
    (services) => services.close(),
  );
  const api = await installation.start(
    "api",
    () => startApi({ ...API_DEFAULTS, host: config.host, port: config.apiPort, natsUrl: nats.url }, control.bus),
    (server) => server.close(),
  );

  // The first key is kept for the CLI before anything can fail: it is told once.
  const cliFile = state.file("cli.json");
  const secret = state.secret("demo-identities").text;
  const identities = demoIdentities(secret);
  const issuerUrl = `http://${config.host}:${config.issuerPort}`;
  const firstKey = await control.firstAdminKey();
  const key = firstKey ?? JSON.parse(readFileSync(cliFile, "utf8")).key;
  state.writePrivate(cliFile, `${JSON.stringify({ api: api.url, key, identities: cliIdentities() }, null, 2)}\n`);

  await installation.start(
    "demo issuer",
    async () =>
      startDemoIssuer({
        host: config.host,
        port: config.issuerPort,
        key: await issuerKey(state),
        identities: Object.values(identities),
      }),
    (issuer) => issuer.stop(),
  );
  const password = state.secret("shop-password");
  say("… demo shop");
  await prepareShop({
    adminUrl: postgres.url("postgres"),
    password: password.text,
    schemaFile: join(project, "deploy/demo/shop.sql"),
  });
  const controlApi = new ControlApi(api.url, key);
  const documentFile = state.file("demo.yaml");
  const document = await demoDocument(join(project, "deploy/demo/counterfoil.yaml"), {
    ISSUER_URL: issuerUrl,
    SHOP_PORT: String(postgres.port),
    SHOP_PASSWORD_FILE: password.path,
  });
  if (!existsSync(documentFile)) {
    await controlApi.apply(document);
    state.writePrivate(documentFile, document);
  } else {
    await controlApi.movePlaces({ issuer: issuerUrl, port: postgres.port });
  }

  const configFile = state.file("enforcer", "enforcer.json");
  await enforcerConfig();
  const enforcer = await installation.start(
    "enforcer",
    () => EnforcerProcess.start(join(project, "dist/apps/enforcer/src/main.js"), configFile, say),
    (process) => process.stop(),
  );
  void enforcer;
  return {
    api: api.url,
    firstKey,
    state: config.state,
    failed: Promise.race([
      postgres.exited.then(() => `PostgreSQL has ended; its log is ${postgres.log}`),
      nats.exited.then(() => `nats-server has ended; its log is ${nats.log}`),
    ]),
  };

  function cliIdentities() {
    return Object.fromEntries(
      Object.entries(identities).map(([name, identity]) => [
        name,
        {
          token_endpoint: `${issuerUrl}/token`,
          client_id: identity.clientId,
          client_secret: identity.clientSecret,
        },
      ]),
    );
  }

  /** Registers the node once; its listener may move with the configuration. */
  async function enforcerConfig(): Promise<void> {
    const known = existsSync(configFile) ? JSON.parse(readFileSync(configFile, "utf8")) : null;
    const listener = { protocol: "postgres", host: config.host, port: config.postgresPort };
    const moved = known && (known.listeners[0].port !== listener.port || known.listeners[0].host !== listener.host);
    if (moved) await controlApi.removeEnforcer(known.id);
    let id: string = known?.id;
    if (!known || moved) {
      const registered = await controlApi.registerEnforcer({ name: `${GROUP}-1`, group: GROUP, listeners: [listener] });
      id = registered.enforcer.id;
      state.writePrivate(state.file("enforcer", "node.creds"), registered.bus_credentials);
      state.writePrivate(state.file("enforcer", "signing-key.pem"), registered.signing_key);
    }
    const written = {
      id,
      group: GROUP,
      natsUrl: nats.url,
      credentialsFile: state.file("enforcer", "node.creds"),
      signingKeyFile: state.file("enforcer", "signing-key.pem"),
      folder: state.folder("enforcer", "node"),
      listeners: [{ ...listener, bind: config.host }],
      allowPlaintext: config.allowPlaintext,
      logLevel: "warn",
    };
    state.writePrivate(configFile, `${JSON.stringify(written, null, 2)}\n`);
  }
}

async function issuerKey(state: StateFolder): Promise<JWK> {
  const file = state.file("issuer", "key.jwk.json");
  if (!existsSync(file)) state.writePrivate(file, JSON.stringify(await newIssuerKey()));
  return JSON.parse(readFileSync(file, "utf8"));
}
