import type { Command } from "commander";
import type { Context } from "../context.js";
import { type Column, json, moment, shortened, table } from "../output.js";

interface Named {
  readonly name: string;
  readonly id?: string;
  readonly [field: string]: unknown;
}

const field = (path: string): Column<Named> => ({
  title: path.split(".").at(-1) ?? path,
  of: (row) => path.split(".").reduce<unknown>((value, key) => (value as Named | undefined)?.[key], row),
});

const KINDS: readonly { many: string; about: string; columns: readonly Column<Named>[] }[] = [
  { many: "issuers", about: "trusted identity providers", columns: ["name", "url", "audiences", "version"].map(field) },
  {
    many: "resources",
    about: "what enforcers can reach",
    columns: [
      ...["name", "protocol", "group"].map(field),
      { title: "upstream", of: ({ upstream }) => addresses(upstream) },
      ...["reads", "version"].map(field),
    ],
  },
  {
    many: "labels",
    about: "kinds of sensitive data",
    columns: [
      field("name"),
      field("transform.kind"),
      { title: "columns", of: ({ columns }) => (columns as unknown[]).length },
      field("description"),
      field("version"),
    ],
  },
  {
    many: "policies",
    about: "who may do what",
    columns: [
      field("name"),
      { title: "description", of: ({ description }) => shortened(String(description ?? "")) },
      field("version"),
    ],
  },
  {
    many: "enforcers",
    about: "the nodes beside the resources",
    columns: [
      ...["id", "name", "group"].map(field),
      { title: "listeners", of: ({ listeners }) => (listeners as { host: string; port: number }[]).map(address) },
      { title: "seen", of: ({ seen_at }) => moment(seen_at as string | undefined) },
      { title: "removed", of: ({ removed }) => (removed === true ? "yes" : "") },
    ],
  },
];

/** `ls` and `get` of everything that is declared. Returns the commands, by name: some can do more. */
export function addDeclared(program: Command, { client, print }: Context): ReadonlyMap<string, Command> {
  const commands = new Map<string, Command>();
  for (const { many, about, columns } of KINDS) {
    const command = program.command(many).description(about);
    commands.set(many, command);
    command
      .command("ls")
      .description("list them")
      .option("--json")
      .action(async (options: { json?: boolean }) => {
        const found = await client().list<Named>(`/v1/${many}`);
        print(options.json ? json(found) : found.length === 0 ? `no ${many}` : table(found, columns));
      });
    command
      .command(`get <${many === "enforcers" ? "id" : "name"}>`)
      .description("show one, as JSON")
      .option("--json", "as always")
      .action(async (name: string) => print(json(await client().get(`/v1/${many}/${encodeURIComponent(name)}`))));
  }
  return commands;
}

const addresses = (upstream: unknown) => {
  const { hosts } = (upstream ?? {}) as { hosts?: unknown[] };
  return hosts?.length ? hosts.map(address).join(" ") : address(upstream);
};

const address = (value: unknown) => {
  const { host, port } = (value ?? {}) as { host?: string; port?: number };
  return `${host}:${port}`;
};
