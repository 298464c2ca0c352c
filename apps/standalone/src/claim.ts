import type { Installation } from "./installation.js";
import { requireFreePort } from "./ports.js";
import type { StandaloneConfig } from "./standalone.config.js";
import { StateFolder } from "./state-folder.js";

/** Takes what only one installation can have, its state folder and its ports. @throws Error that says what to do */
export async function claim(config: StandaloneConfig, installation: Installation): Promise<StateFolder> {
  const { host } = config;
  const state = await installation.start(
    `state in ${config.state}`,
    async () => StateFolder.take(config.state),
    async (folder) => folder.release(),
  );
  await requireFreePort(host, config.apiPort, "COUNTERFOIL_API_PORT");
  await requireFreePort(host, config.issuerPort, "COUNTERFOIL_ISSUER_PORT");
  await requireFreePort(host, config.postgresPort, "COUNTERFOIL_POSTGRES_PORT");
  return state;
}
