import { randomUUID } from "node:crypto";
import { CliFailure, EXIT, exitCodeOf } from "./failure.js";
import type { Settings } from "./settings.js";

export interface Sending {
  readonly json?: unknown;
  readonly text?: { readonly body: string; readonly type: string };
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly signal?: AbortSignal;
}

interface PageOf<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** Calls the API; every way it can fail is a CliFailure with what to do. */
export class ApiClient {
  constructor(private readonly settings: Settings) {}

  async get<T>(path: string, query: Sending["query"] = {}): Promise<T> {
    return (await (await this.send("GET", path, { query })).json()) as T;
  }

  /** The answer's body; undefined where there is none. */
  async change<T>(method: "PUT" | "POST" | "DELETE", path: string, sending: Sending = {}): Promise<T> {
    const response = await this.send(method, path, sending);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  /** All items of a list, or the first `limit`. */
  async list<T>(path: string, query: Sending["query"] = {}, limit = Number.POSITIVE_INFINITY): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | undefined;
    do {
      const size = Math.min(500, limit - items.length);
      const page = await this.get<PageOf<T>>(path, { ...query, limit: size, cursor });
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== undefined && items.length < limit);
    return items;
  }

  async send(method: string, path: string, { json, text, query = {}, signal }: Sending = {}): Promise<Response> {
    const { api, key, keyFrom } = this.settings;
    if (key === undefined) throw noKey(this.settings);
    const url = new URL(api + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const body = json === undefined ? text?.body : JSON.stringify(json);
    const type = json === undefined ? text?.type : "application/json";
    const response = await reach(url, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        accept: "application/json, application/problem+json",
        ...(type ? { "content-type": type } : {}),
        ...(method === "GET" ? {} : { "idempotency-key": randomUUID() }),
      },
      ...(body === undefined ? {} : { body }),
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) throw await failureOf(response, keyFrom);
    return response;
  }
}

function noKey({ api, keyIsFor, file }: Settings): CliFailure {
  const elsewhere = `Set COUNTERFOIL_KEY: the key in ${file} is for ${keyIsFor}, and is sent nowhere else.`;
  const nowhere = "Set COUNTERFOIL_KEY, or run this where `npm start` made .counterfoil/cli.json.";
  return new CliFailure(`there is no key for the API at ${api}`, EXIT.usage, keyIsFor === "" ? nowhere : elsewhere);
}

/** `fetch`, whose own failures say what cannot be reached. */
export async function reach(url: URL | string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { redirect: "error", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
    const why = cause?.code ?? cause?.message ?? message;
    const { origin } = new URL(url);
    throw new CliFailure(`${origin} cannot be reached (${why})`, EXIT.unavailable, "Is Counterfoil running there?");
  }
}

/** An answer that is no success: the problem document's title, detail, fields and advice. */
async function failureOf(response: Response, keyFrom: string): Promise<CliFailure> {
  const problem = (await response.json().catch(() => ({}))) as {
    readonly code?: string;
    readonly title?: string;
    readonly detail?: string;
    readonly advice?: string;
    readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[];
    readonly plan?: readonly { kind: string; name: string; action: string; outcome: string }[];
  };
  if (!problem.title) {
    return new CliFailure(`the API answered ${response.status} ${response.statusText}`, exitCodeOf(response.status));
  }
  const errors = problem.errors?.map(
    ({ pointer, parameter, detail }) => `  ${pointer || parameter || "the document"}: ${detail}`,
  );
  const plan = problem.plan?.map(({ kind, name, action, outcome }) => `  ${outcome}: ${action} ${kind} ${name}`);
  const lines = errors ?? plan ?? [];
  const detail = errors ? "" : `: ${problem.detail}`;
  const message = [`${problem.title}${detail}`, ...lines].join("\n");
  return new CliFailure(message, exitCodeOf(response.status), adviceOn(problem.code, keyFrom) ?? problem.advice);
}

/** What this program knows better than the API. */
function adviceOn(code: string | undefined, keyFrom: string): string | undefined {
  if (code === "unauthenticated") return `The key came from ${keyFrom}: ask an administrator for another.`;
  if (code === "malformed") return "Correct the document there.";
  // Each field is named with what is wrong with it: there is nothing to add.
  return code === "invalid" ? "" : undefined;
}
