import { reach } from "./api-client.js";
import { CliFailure, EXIT } from "./failure.js";
import type { Settings } from "./settings.js";

export interface Exchanged {
  readonly access_token: string;
  readonly token_id: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
    readonly uri: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly ca: string;
  };
}

export interface Wanted {
  readonly resource: string;
  readonly scope?: string;
  readonly lifetime?: number;
  readonly mode?: string;
  readonly uses?: number;
  readonly window?: number;
}

/** Trades a workload identity for a token (RFC 8693). @throws CliFailure */
export async function exchange(settings: Settings, subjectToken: string, wanted: Wanted): Promise<Exchanged> {
  const form = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: subjectToken,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    resource: wanted.resource,
  });
  const { scope, lifetime, mode, uses, window } = wanted;
  const more = { scope, lifetime_seconds: lifetime, use_mode: mode, uses, window_seconds: window };
  for (const [name, value] of Object.entries(more)) if (value !== undefined) form.set(name, String(value));
  const response = await reach(`${settings.api}/v1/token`, { method: "POST", body: form });
  const answer = (await response.json().catch(() => ({}))) as Exchanged & {
    error?: string;
    error_description?: string;
    detail?: string;
    code?: string;
  };
  if (response.ok && answer.connection) return answer;
  const says = answer.error
    ? `${answer.error}: ${answer.detail ?? answer.error_description ?? ""}`
    : `status ${response.status}`;
  const exitCode = codeOf(response.status, answer);
  const advice = exitCode === EXIT.notFound ? "`counterfoil resources ls` lists what there is." : "";
  throw new CliFailure(`no token for ${wanted.resource}: ${says}`, exitCode, advice);
}

function codeOf(status: number, { error, code }: { readonly error?: string; readonly code?: string }): number {
  if (status === 429 || status >= 500) return EXIT.unavailable;
  if (code === "not_found") return EXIT.notFound;
  return error === "invalid_target" || status === 401 || status === 403 ? EXIT.denied : EXIT.failed;
}
