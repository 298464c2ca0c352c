import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BusKeys, createBusKeys, userCredentials } from "#bus";

export interface NatsKeys {
  readonly seeds: BusKeys;
  readonly credentials: { readonly control: string; readonly system: string };
}

/** The keys in the folder, made at the first time; only their owner reads them. */
export async function keepNatsKeys(folder: string): Promise<NatsKeys> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fresh = createBusKeys();
  const seed = (name: keyof BusKeys) => keep(join(folder, `${name}.seed`), fresh[name]).text;
  const seeds = {
    operator: seed("operator"),
    system: seed("system"),
    control: seed("control"),
    enforcers: seed("enforcers"),
  };
  const credentials = {
    control: keep(join(folder, "control.creds"), await userCredentials(seeds.control, "control")).path,
    system: keep(join(folder, "system.creds"), await userCredentials(seeds.system, "system")).path,
  };
  return { seeds, credentials };
}

function keep(path: string, text: string): { path: string; text: string } {
  if (!existsSync(path)) writeFileSync(path, `${text.trim()}\n`, { mode: 0o600, flag: "wx" });
  chmodSync(path, 0o600);
  return { path, text: readFileSync(path, "utf8").trim() };
}
