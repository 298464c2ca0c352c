import { existsSync } from "node:fs";
import { join } from "node:path";
import type { JWK } from "jose";
import type { ControlApi } from "../control-api.js";
import type { StateFolder } from "../state-folder.js";
import { demoDocument } from "./document.js";
import { demoIdentities } from "./identities.js";
import { type DemoIssuer, newIssuerKey, startDemoIssuer } from "./issuer.js";
import { prepareShop } from "./shop.js";

export interface DemoPlaces {
  /** The folder with `shop.sql` and `counterfoil.yaml`. */
  readonly sources: string;
  readonly host: string;
  readonly issuerPort: number;
  /** Of the server the shop is made on; the URL is of its superuser. */
  readonly postgres: { readonly port: number; readonly adminUrl: string };
}

/** What a new user plays with: a CI system that vouches for its jobs, a shop with personal data, policies about it. */
export class Demo {
  constructor(
    private readonly state: StateFolder,
    private readonly places: DemoPlaces,
  ) {}

  /** The identities as the CLI's `--as` knows them. */
  cliIdentities(): Record<string, unknown> {
    const entries = Object.entries(this.identities()).map(([name, { clientId, clientSecret }]) => [
      name,
      { token_endpoint: `${this.issuerUrl}/token`, client_id: clientId, client_secret: clientSecret },
    ]);
    return Object.fromEntries(entries);
  }

  async startIssuer(): Promise<DemoIssuer> {
    const { host, issuerPort: port } = this.places;
    return startDemoIssuer({ host, port, key: await this.issuerKey(), identities: Object.values(this.identities()) });
  }

  async prepareShop(): Promise<void> {
    const { sources, postgres } = this.places;
    const password = this.shopPassword().text;
    await prepareShop({ adminUrl: postgres.adminUrl, password, schemaFile: join(sources, "shop.sql") });
  }

  /** Declares the demo the first time; later only what moved, so that what an administrator changed stays changed. */
  async declare(api: ControlApi): Promise<void> {
    const file = this.state.file("demo.yaml");
    const { sources, postgres } = this.places;
    if (existsSync(file)) return api.movePlaces({ issuer: this.issuerUrl, port: postgres.port });
    const document = await demoDocument(join(sources, "counterfoil.yaml"), {
      ISSUER_URL: this.issuerUrl,
      SHOP_PORT: String(postgres.port),
      SHOP_PASSWORD_FILE: this.shopPassword().path,
    });
    await api.apply(document);
    this.state.writePrivate(file, document);
  }

  private get issuerUrl(): string {
    return `http://${this.places.host}:${this.places.issuerPort}`;
  }

  private identities() {
    return demoIdentities(this.state.secret("demo-identities").text);
  }

  private shopPassword() {
    return this.state.secret("shop-password");
  }

  private async issuerKey(): Promise<JWK> {
    const file = this.state.file("issuer", "key.jwk.json");
    const kept = this.state.readJson<JWK>(file);
    if (kept) return kept;
    const made = await newIssuerKey();
    this.state.writePrivate(file, JSON.stringify(made));
    return made;
  }
}
