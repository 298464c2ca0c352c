import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { Context } from "../context.js";
import type { Exchanged } from "../exchange.js";
import { CliFailure } from "../failure.js";
import { type ExchangeOptions, exchangeOptions, getToken } from "./token.js";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
/** What a terminal sends to every process in the foreground by itself. */
const OF_THE_TERMINAL: readonly string[] = ["SIGINT", "SIGQUIT"];
/** The command gets a token, never what it was traded for, nor the key of whoever administers this. */
const WITHHELD = [
  ...["COUNTERFOIL_KEY", "COUNTERFOIL_SUBJECT_TOKEN", "COUNTERFOIL_ID_TOKEN"],
  ...["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"],
];

const HELP = `
The command gets PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE and PGSSLROOTCERT, which psql and whatever
is built on libpq read, and NODE_EXTRA_CA_CERTS, which Node's drivers need. A driver that opens several connections
needs --mode run (or burst).

A command that waits for approval waits in its session, and that ends with the token: give a --lifetime that is long
enough, at most 3600.

Exits as the command does; 127 where it is not found, 126 where it cannot be run.`;

export function addRun(program: Command, context: Context): void {
  exchangeOptions(program.command("run").description("run a command with a token in its environment"))
    .argument("<command...>", "after --, such as: -- psql -c 'select 1'")
    .passThroughOptions()
    .addHelpText("after", HELP)
    .action(async (command: readonly string[], options: ExchangeOptions) => {
      const [program = "", ...args] = command;
      process.exitCode = await runWith(await getToken(options, context), program, args, context.env);
    });
}

/** Runs it with the connection's environment; the CA is in a private file for as long as it runs. */
async function runWith(token: Exchanged, program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, token.connection.ca, { mode: 0o600 });
    return await running(program, args, { ...environment(token, ca, env), ...withTheirs(token, folder, env) });
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function environment({ connection }: Exchanged, ca: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => !WITHHELD.includes(name)));
  const own = Object.entries(connection.environment).map(([name, value]) => [name, value.replaceAll(`\${ca}`, ca)]);
  return { ...inherited, ...Object.fromEntries(own) };
}

/** Node reads one file of further CAs: where the command has one already, it gets a file of both. */
function withTheirs({ connection }: Exchanged, folder: string, { NODE_EXTRA_CA_CERTS: theirs }: NodeJS.ProcessEnv) {
  if (!theirs || connection.environment.NODE_EXTRA_CA_CERTS === undefined) return {};
  let certificates: string;
  try {
    certificates = readFileSync(theirs, "utf8");
  } catch {
    // Node itself only warns of a file that it cannot read.
    return {};
  }
  const both = join(folder, "ca-and-yours.pem");
  writeFileSync(both, `${certificates.trimEnd()}\n${connection.ca}`, { mode: 0o600 });
  return { NODE_EXTRA_CA_CERTS: both };
}

/** The exit code a shell would give it. */
function running(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", env });
    const handlers = FORWARDED.map((signal) => {
      const forward = () => {
        if (process.stdin.isTTY && OF_THE_TERMINAL.includes(signal)) return;
        child.kill(signal);
      };
      process.on(signal, forward);
      return () => process.off(signal, forward);
    });
    const done = (finish: () => void) => {
      for (const stop of handlers) stop();
      finish();
    };
    child.once("error", (error: NodeJS.ErrnoException) => done(() => reject(notRun(program, error))));
    child.once("exit", (code, signal) =>
      done(() => resolve(code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0))),
    );
  });
}

function notRun(program: string, error: NodeJS.ErrnoException): CliFailure {
  if (error.code === "ENOENT") return new CliFailure(`${program} is not found`, 127, "Is it installed, and in PATH?");
  return new CliFailure(`${program} cannot be run: ${error.message}`, 126);
}
