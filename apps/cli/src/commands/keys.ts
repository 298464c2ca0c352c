import type { Command } from "commander";
import type { Context } from "../context.js";
import { json, moment, table } from "../output.js";

interface Key {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly created_at?: string;
  readonly revoked_at?: string;
}

const ROLES = "admin, approver, approver:<group>, auditor";

export function addKeys(program: Command, { client, print }: Context): void {
  const keys = program.command("keys").description("who may use this API, and as what");
  keys
    .command("ls")
    .description("list them; never their secrets")
    .option("--json")
    .action(async (options: { json?: boolean }) => {
      const found = await client().list<Key>("/v1/admin-keys", {});
      print(options.json ? json(found) : listed(found));
    });
  keys
    .command("create <name>")
    .description("make one for a person or a program; its secret is shown this once")
    .requiredOption("--role <role...>", `what it may do: ${ROLES}`)
    .option("--json")
    .action(async (name: string, { role: roles, json: asJson }: { role: string[]; json?: boolean }) => {
      const created = await client().change<{ secret: string }>("POST", "/v1/admin-keys", { json: { name, roles } });
      print(asJson ? json(created) : created.secret);
    });
  keys
    .command("revoke <id>")
    .description("end one; it stops working within seconds")
    .option("--json")
    .action(async (id: string, options: { json?: boolean }) => {
      const revoked = await client().change<Key>("DELETE", `/v1/admin-keys/${encodeURIComponent(id)}`);
      print(options.json ? json(revoked) : `revoked ${revoked.name} (${revoked.id})`);
    });
}

const listed = (found: readonly Key[]) =>
  table(found, [
    { title: "id", of: ({ id }) => id },
    { title: "name", of: ({ name }) => name },
    { title: "roles", of: ({ roles }) => roles },
    { title: "created", of: ({ created_at }) => moment(created_at) },
    { title: "revoked", of: ({ revoked_at }) => moment(revoked_at) },
  ]);
