import type { ControlApi } from "./control-api.js";
import type { StateFolder } from "./state-folder.js";

/** What is read of a configuration written before; a damaged one may lack any of it. */
interface KnownNode {
  readonly id?: string;
  readonly listeners?: readonly { readonly host: string; readonly port: number }[];
}

export interface NodeSettings {
  readonly name: string;
  readonly group: string;
  readonly natsUrl: string;
  readonly listener: { readonly protocol: string; readonly host: string; readonly port: number };
  readonly allowPlaintext: boolean;
}

/**
 * Registers this installation's enforcer the first time, and again when its listener has moved: the control plane
 * tells agents where it is.
 * @returns the path of its configuration
 */
export async function prepareNode(state: StateFolder, api: ControlApi, settings: NodeSettings): Promise<string> {
  const configFile = state.file("enforcer", "enforcer.json");
  const credentialsFile = state.file("enforcer", "node.creds");
  const signingKeyFile = state.file("enforcer", "signing-key.pem");
  const { name, group, listener, natsUrl, allowPlaintext } = settings;

  const known = state.readJson<KnownNode>(configFile);
  const at = known?.listeners?.[0];
  let id = at?.port === listener.port && at.host === listener.host ? known?.id : undefined;
  if (id === undefined) {
    await api.removeEnforcersNamed(name, group);
    const registered = await api.registerEnforcer({ name, group, listeners: [listener] });
    state.writePrivate(credentialsFile, registered.bus_credentials);
    state.writePrivate(signingKeyFile, registered.signing_key);
    id = registered.enforcer.id;
  }
  const folder = state.folder("enforcer", "node");
  const listeners = [{ ...listener, bind: listener.host }];
  const config = {
    id,
    group,
    natsUrl,
    credentialsFile,
    signingKeyFile,
    folder,
    listeners,
    allowPlaintext,
    // A laptop's: one process is light, and enough.
    workers: 1,
    logLevel: "warn",
  };
  state.writePrivate(configFile, `${JSON.stringify(config, null, 2)}\n`);
  return configFile;
}
