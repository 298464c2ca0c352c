import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BusKeys, createBusKeys, publicKeyOf, userCredentials } from "#bus";

export interface NatsKeys {
  readonly seeds: BusKeys;
  readonly credentials: { readonly control: string; readonly system: string };
}

/** The keys in the folder, made at the first time; only their owner reads them. */
export async function keepNatsKeys(folder: string): Promise<NatsKeys> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let made: BusKeys | undefined;
  const seed = async (name: keyof BusKeys) => {
    const { path, text } = await keep(join(folder, `${name}.seed`), () => (made ??= createBusKeys())[name]);
    return checkedSeed(path, text);
  };
  const seeds: BusKeys = {
    operator: await seed("operator"),
    system: await seed("system"),
    control: await seed("control"),
    enforcers: await seed("enforcers"),
  };
  const user = async (name: "control" | "system") =>
    (await keep(join(folder, `${name}.creds`), () => userCredentials(seeds[name], name))).path;
  return { seeds, credentials: { control: await user("control"), system: await user("system") } };
}

async function keep(path: string, make: () => string | Promise<string>): Promise<{ path: string; text: string }> {
  if (!existsSync(path)) {
    // Whole or not at all: who is killed meanwhile leaves no half of a key behind.
    const draft = `${path}.${randomBytes(4).toString("hex")}`;
    writeFileSync(draft, `${(await make()).trim()}\n`, { mode: 0o600, flag: "wx", flush: true });
    renameSync(draft, path);
  }
  chmodSync(path, 0o600);
  return { path, text: readFileSync(path, "utf8").trim() };
}

/** @throws Error that names the file where it holds no seed */
function checkedSeed(path: string, seed: string): string {
  try {
    publicKeyOf(seed);
    return seed;
  } catch (cause) {
    throw new Error(`${path} must hold an NKey seed: bring the file back from a backup`, { cause });
  }
}
