import { Command, Option } from "commander";
import { ApiClient } from "./api-client.js";
import { addApply } from "./commands/apply.js";
import { addApprovals } from "./commands/approvals.js";
import { addDeclared } from "./commands/declared.js";
import { addEnforcers } from "./commands/enforcers.js";
import { addEvents } from "./commands/events.js";
import { addKeys } from "./commands/keys.js";
import { addPolicies } from "./commands/policies.js";
import { addRun } from "./commands/run.js";
import { addSessions } from "./commands/sessions.js";
import { addToken } from "./commands/token.js";
import { addTokens } from "./commands/tokens.js";
import type { Context } from "./context.js";
import { readSettings } from "./settings.js";

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 not found, 5 unavailable: try again.
(\`run\` exits as the command it runs does.)

The API's address and an admin key come from COUNTERFOIL_API and COUNTERFOIL_KEY, or from the nearest
.counterfoil/cli.json, which \`npm start\` writes. apps/cli/README.md says all of it.`;

/** As in package.json. */
const VERSION = "0.1.0";

export function createProgram(env: NodeJS.ProcessEnv, cwd: string): Command {
  const program = new Command("counterfoil")
    .description("Short-lived tokens for databases; enforcers hold the credentials and own the traffic.")
    .version(VERSION)
    .addOption(new Option("--api <url>", "the control API (or COUNTERFOIL_API, or cli.json)"))
    .addHelpText("after", EXIT_CODES)
    .showHelpAfterError("(--help shows how)")
    .enablePositionalOptions()
    .exitOverride();
  const settings = () => readSettings(program.opts<{ api?: string }>(), env, cwd);
  const context: Context = {
    settings,
    client: () => new ApiClient(settings()),
    env,
    print: (text) => void process.stdout.write(`${text}\n`),
  };
  addRun(program, context);
  addToken(program, context);
  addApply(program, context);
  addApprovals(program, context);
  addSessions(program, context);
  addTokens(program, context);
  addEvents(program, context);
  addKeys(program, context);
  const declared = addDeclared(program, context);
  addPolicies(declared.get("policies") as Command, context);
  addEnforcers(declared.get("enforcers") as Command, context);
  return program;
}
