import { Logger } from "@nestjs/common";
import type { Bus } from "#bus";
import { identityV1, tokensV1 } from "#contracts";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { API_DEFAULTS, type ApiConfig, type RunningApi, startApi } from "../src/index.js";
import { ControlPlane, refuse } from "./control-plane.js";
import { type Description, Documented } from "./documented.js";

export interface Sent {
  readonly key?: keyof typeof KEYS | null;
  readonly json?: unknown;
  readonly text?: string;
  readonly type?: string;
  readonly headers?: Record<string, string>;
}
export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Loose;
}

// biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
export type Loose = any;

const KEYS = {
  ...{ admin: "cfk_admin", approver: "cfk_approver", auditor: "cfk_auditor" },
  "approver:dba": "cfk_approver_dba",
} as const;

/** The API over a real bus, with services that answer as the test says; each answer is held against the description. */
export class Fixture {
  private constructor(
    readonly nats: FreshNats,
    readonly bus: Bus,
    readonly plane: ControlPlane,
    readonly api: RunningApi,
    readonly description: Description,
    private readonly documented: Documented,
  ) {}

  static async start(config: Partial<ApiConfig> = {}): Promise<Fixture> {
    const nats = await freshNats();
    const bus = await nats.connect("test");
    const plane = new ControlPlane(bus);
    plane.on(identityV1.Identity.method.authenticateAdminKey, ({ secret }) => {
      const role = Object.entries(KEYS).find(([, key]) => key === secret)?.[0];
      return role ? { actor: { id: `key-${role}`, name: role, roles: [role] } } : refuse("not_found", "no such key");
    });
    // A deleted issuer's tokens are revoked.
    plane.on(tokensV1.Tokens.method.revoke, () => ({}));
    const api = await startApi({ ...API_DEFAULTS, port: 0, ...config }, bus);
    // What goes wrong on purpose need not be read in the tests' output.
    Logger.overrideLogger(false);
    const description = (await (await fetch(`${api.url}/openapi.json`)).json()) as Description;
    return new Fixture(nats, bus, plane, api, description, new Documented(description));
  }

  async stop(): Promise<void> {
    await this.api.close();
    await this.nats.drop();
  }

  /** As an administrator unless `key` says otherwise; null sends no key. */
  async send(method: string, path: string, sent: Sent = {}): Promise<Got> {
    const { key = "admin", json, type } = sent;
    const body = sent.text ?? (json === undefined ? undefined : JSON.stringify(json));
    const response = await fetch(this.api.url + path, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${KEYS[key]}` }),
        ...(body === undefined ? {} : { "content-type": type ?? "application/json" }),
        ...sent.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const contentType = response.headers.get("content-type") ?? "";
    const faults = this.documented.faults(method, path.split("?", 1)[0] ?? "", response.status, contentType, text);
    if (faults.length > 0) throw new Error(`${faults.join("\n")}\n${text}`);
    const isJson = /^application\/(problem\+)?json/.test(contentType);
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }
}
