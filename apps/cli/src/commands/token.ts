import { type Command, Option } from "commander";
import { type Context, wholeNumber } from "../context.js";
import { type Exchanged, exchange, type Wanted } from "../exchange.js";
import { CliFailure, EXIT } from "../failure.js";
import { facts, json } from "../output.js";
import { type IdentityOptions, subjectToken } from "../workload-identity.js";

export type ExchangeOptions = IdentityOptions & Wanted;

/** The options of every command that exchanges an identity for a token. */
export const exchangeOptions = (command: Command) =>
  command
    .requiredOption("--resource <name>", "what the token is for")
    .option("--as <name>", "an identity of cli.json")
    .option("--subject-token-file <file>", "a file with the workload's token (a JWT)")
    .option("--audience <name>", "the audience to ask GitHub's token for", "counterfoil")
    .option("--scope <actions>", "limit it to these actions, such as 'sql:read'")
    .option("--lifetime <seconds>", "how long it lives, at most 3600; 600 unless said", wholeNumber(1, 3600))
    .addOption(
      new Option("--mode <mode>", "how often it can be used; once unless said").choices(["once", "burst", "run"]),
    )
    .option("--uses <n>", "of burst: how many sessions, 2 to 1000; 10 unless said", wholeNumber(2, 1000))
    .option("--window <seconds>", "of burst: from the first session to the last; 60 unless said", wholeNumber(1, 3600));

export async function getToken(options: ExchangeOptions, { settings, env }: Context): Promise<Exchanged> {
  checkUses(options);
  const known = settings();
  return exchange(known, await subjectToken(options, known, env), options);
}

/** The API would say so too, in the words of its form. */
function checkUses({ mode = "once", uses, window }: Wanted): void {
  const given = [...(uses === undefined ? [] : ["--uses"]), ...(window === undefined ? [] : ["--window"])];
  if (given.length === 0 || mode === "burst") return;
  const says = `${given.join(" and ")} can only be given with --mode burst, and the mode is ${mode}`;
  throw new CliFailure(says, EXIT.usage, `Add --mode burst, or leave ${given.join(" and ")} out.`);
}

export function addToken(program: Command, context: Context): void {
  exchangeOptions(program.command("token").description("exchange a workload identity for a token"))
    .option("--json", "the whole answer, with the CA")
    .action(async (options: ExchangeOptions & { json?: boolean }) => {
      const token = await getToken(options, context);
      context.print(options.json ? json(token) : shown(token));
    });
}

const shown = ({ token_id, expires_in, scope, connection }: Exchanged) =>
  facts([
    ["token", token_id],
    ["expires in", `${expires_in} s`],
    ["scope", scope || "whatever policy permits"],
    ["host", `${connection.host}:${connection.port}`],
    ["user", connection.user],
    ["password", connection.password],
    ["database", connection.database],
    ["uri", connection.uri],
    ["ca", "the uri needs sslrootcert=FILE with the CA of --json (connection.ca); `run` brings it along"],
  ]);
