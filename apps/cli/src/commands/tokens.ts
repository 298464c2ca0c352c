import { type Command, Option } from "commander";
import { type Context, MOST_LISTED, wholeNumber } from "../context.js";
import { CliFailure, EXIT } from "../failure.js";
import { json, moment, table } from "../output.js";

interface Token {
  readonly id: string;
  readonly status?: string;
  readonly open_sessions?: number;
  readonly principal?: { readonly id: string; readonly run: string };
  readonly resource: string;
  readonly mode?: string;
  readonly used: number;
  readonly uses: number;
  readonly expires_at?: string;
}
interface Revoked {
  readonly id: string;
  readonly outcome: string;
  readonly sessions_ended: number;
}
interface Revoke {
  readonly principal?: string;
  readonly run?: string;
  readonly resource?: string;
  readonly issuer?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

export function addTokens(program: Command, { client, print }: Context): void {
  const tokens = program.command("tokens").description("what agents hold; never their secrets");
  tokens
    .command("ls")
    .description("list them, newest first")
    .addOption(new Option("--status <status>", "only these").choices(["active", "spent", "expired", "revoked"]))
    .option("--resource <name>", "only for this resource")
    .option("--run <run>", "only of this run")
    .option("--limit <n>", "at most this many", wholeNumber(1, MOST_LISTED), 100)
    .option("--json")
    .action(async (options: { status?: string; resource?: string; run?: string; limit: number; json?: boolean }) => {
      const { status, resource, run, limit } = options;
      const found = await client().list<Token>("/v1/tokens", { status, resource, run }, limit);
      print(options.json ? json(found) : found.length === 0 ? "no tokens" : listed(found));
    });
  tokens
    .command("revoke [id]")
    .description("revoke one, or all of a principal, run, resource or issuer, and close their sessions")
    .option("--principal <id>", "all of this principal")
    .option("--run <run>", "all of this run")
    .option("--resource <name>", "all for this resource")
    .option("--issuer <name>", "all whose principal is this issuer's")
    .option("--reason <text>", "why; it is recorded, and open sessions are told")
    .option("--json")
    .action(async (id: string | undefined, options: Revoke) => {
      const { by, value } = selected(id, options);
      const revocation = { by, value, reason: options.reason ?? "" };
      const answer = await client().change<{ tokens: Revoked[] }>("POST", "/v1/tokens/revoke", { json: revocation });
      print(options.json ? json(answer) : outcome(answer.tokens, id !== undefined));
    });
}

function selected(token: string | undefined, { principal, run, resource, issuer }: Revoke) {
  const given = Object.entries({ token, principal, run, resource, issuer }).filter(([, value]) => value !== undefined);
  const [only] = given;
  if (given.length !== 1 || !only?.[1]) {
    const advice = "Name one token id, or one of --principal, --run, --resource, --issuer.";
    throw new CliFailure("it must be said exactly once what is revoked", EXIT.usage, advice);
  }
  return { by: only[0], value: only[1].replace(/^foil_([A-Za-z0-9]+).*$/, "$1") };
}

const NOTHING_TO_REVOKE: Readonly<Record<string, string>> = {
  spent: "was spent already: nothing could be opened with it, and nothing was open",
  expired: "had expired already",
  "revoked-before": "was revoked already",
};

/** What was asked for by its id is told of in full; of many, those that it made no difference to are only counted. */
function outcome(tokens: readonly Revoked[], named: boolean): string {
  const without = tokens.filter(({ outcome }) => NOTHING_TO_REVOKE[outcome] !== undefined);
  if (named) return tokens.map(became).join("\n");
  const revoked = tokens.filter((token) => !without.includes(token)).map(became);
  const counted = Object.keys(NOTHING_TO_REVOKE).flatMap((outcome) => {
    const count = without.filter((token) => token.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome.replace("-", " ")}`];
  });
  if (counted.length === 0) return revoked.length === 0 ? "nothing was live" : revoked.join("\n");
  const others = `${without.length} ${revoked.length > 0 ? "other" : "token"}${without.length === 1 ? "" : "s"}`;
  const none = revoked.length === 0 ? ["nothing was live"] : [];
  return [...revoked, ...none, `without effect on ${others}: ${counted.join(", ")}`].join("\n");
}

function became({ id, outcome, sessions_ended: ended }: Revoked): string {
  const before = NOTHING_TO_REVOKE[outcome];
  if (before !== undefined) return `${id} ${before}`;
  return `${id} is revoked${ended === 0 ? "" : `, and ended ${ended} open session${ended === 1 ? "" : "s"}`}`;
}

/** One that is spent opens nothing any more, and what it has opened goes on. */
const standing = ({ status, open_sessions: open = 0 }: Token) => (open > 0 ? `${status} (${open} open)` : status);

const listed = (found: readonly Token[]) =>
  table(found, [
    { title: "id", of: ({ id }) => id },
    { title: "status", of: standing },
    { title: "principal", of: ({ principal }) => principal?.id },
    { title: "run", of: ({ principal }) => principal?.run },
    { title: "resource", of: ({ resource }) => resource },
    { title: "mode", of: ({ mode }) => mode },
    { title: "used", of: ({ used, uses }) => (uses > 0 ? `${used}/${uses}` : used) },
    { title: "expires", of: ({ expires_at }) => moment(expires_at) },
  ]);
