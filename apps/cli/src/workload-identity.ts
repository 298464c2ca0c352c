import { readFileSync } from "node:fs";
import { reach } from "./api-client.js";
import { CliFailure, EXIT } from "./failure.js";
import type { Identity, Settings } from "./settings.js";

export interface IdentityOptions {
  readonly as?: string;
  readonly subjectTokenFile?: string;
  readonly audience: string;
}

/** The workload's own token, from where the options or the environment say. @throws CliFailure */
export async function subjectToken(
  options: IdentityOptions,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  if (options.as !== undefined) return clientCredentials(options.as, settings);
  if (options.subjectTokenFile !== undefined) return fromFile(options.subjectTokenFile);
  if (env.COUNTERFOIL_SUBJECT_TOKEN) return env.COUNTERFOIL_SUBJECT_TOKEN.trim();
  if (env.ACTIONS_ID_TOKEN_REQUEST_URL && env.ACTIONS_ID_TOKEN_REQUEST_TOKEN) {
    return gitHub(env.ACTIONS_ID_TOKEN_REQUEST_URL, env.ACTIONS_ID_TOKEN_REQUEST_TOKEN, options.audience);
  }
  if (env.GITLAB_CI && env.COUNTERFOIL_ID_TOKEN) return env.COUNTERFOIL_ID_TOKEN.trim();
  throw new CliFailure("there is no workload identity to show", EXIT.usage, howTo(env));
}

function howTo(env: NodeJS.ProcessEnv): string {
  if (env.GITHUB_ACTIONS) return "Give the job `permissions: { id-token: write }`.";
  if (env.GITLAB_CI) return "Give the job `id_tokens: { COUNTERFOIL_ID_TOKEN: { aud: counterfoil } }`.";
  return "Use --as NAME, --subject-token-file FILE, or set COUNTERFOIL_SUBJECT_TOKEN.";
}

function fromFile(file: string): string {
  try {
    const token = readFileSync(file, "utf8").trim();
    if (token !== "") return token;
  } catch (error) {
    throw new CliFailure(`${file} cannot be read: ${(error as Error).message}`, EXIT.usage);
  }
  throw new CliFailure(`${file} is empty`, EXIT.usage, "It must hold the workload's token.");
}

/** RFC 6749 section 4.4, the client authenticated as in section 2.3.1. */
async function clientCredentials(name: string, { identities, file }: Settings): Promise<string> {
  const identity = Object.hasOwn(identities, name) ? (identities[name] as Identity) : undefined;
  if (!identity) {
    const known = Object.keys(identities).join(", ") || "none";
    throw new CliFailure(`there is no identity ${name} in ${file || "any cli.json"}`, EXIT.usage, `Known: ${known}.`);
  }
  const { token_endpoint, client_id, client_secret, audience, resource, scope } = identity;
  if (!URL.canParse(token_endpoint ?? "") || !client_id || !client_secret) {
    const says = `the identity ${name} in ${file} lacks token_endpoint, client_id or client_secret`;
    throw new CliFailure(says, EXIT.usage, "See apps/cli/README.md for its shape.");
  }
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  for (const [key, value] of Object.entries({ audience, resource, scope })) if (value) form.set(key, value);
  const basic = Buffer.from(`${formEncoded(client_id)}:${formEncoded(client_secret)}`).toString("base64");
  const response = await reach(token_endpoint, {
    method: "POST",
    headers: { authorization: `Basic ${basic}`, accept: "application/json" },
    body: form,
  });
  return tokenIn(response, "access_token", `the issuer at ${new URL(token_endpoint).origin}`);
}

/** docs.github.com, "OpenID Connect reference": the runner's own endpoint. */
async function gitHub(url: string, bearer: string, audience: string): Promise<string> {
  const endpoint = new URL(url);
  endpoint.searchParams.set("audience", audience);
  const response = await reach(endpoint, {
    headers: { authorization: `Bearer ${bearer}`, accept: "application/json" },
  });
  return tokenIn(response, "value", "GitHub");
}

async function tokenIn(response: Response, field: string, who: string): Promise<string> {
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const token = answer[field];
  if (response.ok && typeof token === "string" && token !== "") return token;
  const why = answer.error_description ?? answer.error ?? answer.message ?? `status ${response.status}`;
  const code = response.status >= 500 ? EXIT.unavailable : EXIT.denied;
  throw new CliFailure(`${who} gave no token: ${String(why)}`, code);
}

const formEncoded = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
