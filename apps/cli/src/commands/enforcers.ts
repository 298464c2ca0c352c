import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "../context.js";
import { CliFailure, EXIT } from "../failure.js";
import { json } from "../output.js";

interface Listener {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

interface Registered {
  readonly enforcer: { readonly id: string };
  /** Shown this once. */
  readonly bus_credentials: string;
  readonly signing_key: string;
}

interface Options {
  readonly group: string;
  readonly listener: readonly Listener[];
  readonly nats: string;
  readonly out: string;
  readonly json?: boolean;
}

const HELP = `
Writes enforcer.json, enforcer.creds and signing-key.pem into the folder, for their owner only. Bring the folder to the
node as it is, and start: COUNTERFOIL_ENFORCER_CONFIG=FOLDER/enforcer.json node dist/apps/enforcer/src/main.js`;

/** What registers a node and leaves everything it needs in one folder. */
export function addEnforcers(enforcers: Command, { client, print }: Context): void {
  enforcers
    .command("register <name>")
    .description("make a new node known, and write what it is started with")
    .requiredOption("--group <name>", "the group whose resources it serves")
    .requiredOption(
      "--listener <protocol:host:port...>",
      "where agents reach it: postgres:db.example.com:5432",
      listeners,
    )
    .requiredOption("--nats <url>", "the bus, as the node reaches it: nats://bus.internal:4222")
    .requiredOption("--out <folder>", "where to; made where it is not there")
    .option("--json")
    .addHelpText("after", HELP)
    .action(async (name: string, { group, listener, nats, out, json: asJson }: Options) => {
      // Before it is registered: the credentials are shown once, so there has to be a place for them.
      const folder = emptyPlace(out);
      const body = { name, group, listeners: listener };
      const node = await client().change<Registered>("POST", "/v1/enforcers", { json: body });
      const config = {
        ...{ id: node.enforcer.id, group, natsUrl: nats },
        ...{
          credentialsFile: "enforcer.creds",
          signingKeyFile: "signing-key.pem",
          folder: "state",
          listeners: listener,
        },
      };
      const write = (file: string, text: string) =>
        writeFileSync(join(folder, file), text, { mode: 0o600, flag: "wx" });
      write("enforcer.creds", node.bus_credentials);
      write("signing-key.pem", node.signing_key);
      write(CONFIG, `${JSON.stringify(config, null, 2)}\n`);
      const file = join(folder, CONFIG);
      print(asJson ? json({ id: node.enforcer.id, config: file }) : `${name} is ${node.enforcer.id}: ${file}`);
    });
}

const CONFIG = "enforcer.json";

function emptyPlace(out: string): string {
  const folder = resolve(out);
  const taken = [CONFIG, "enforcer.creds", "signing-key.pem"].find((file) => existsSync(join(folder, file)));
  if (taken) {
    throw new CliFailure(`${join(folder, taken)} is there already`, EXIT.usage, "Each node has a folder of its own.");
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliFailure(`${folder} cannot be made: ${(error as Error).message}`, EXIT.usage);
  }
  return folder;
}

function listeners(text: string, earlier: readonly Listener[] = []): Listener[] {
  const [, protocol, host, port] = /^([a-z0-9]+):(.+):(\d{1,5})$/.exec(text) ?? [];
  if (!protocol || !host || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidArgumentError("It must be like postgres:db.example.com:5432, with a port from 1 to 65535.");
  return [...earlier, { protocol, host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) }];
}
