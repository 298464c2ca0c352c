/** The little of the REST API that the installation itself needs: it has no way around it. */
export class ControlApi {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  async apply(document: string): Promise<void> {
    await this.send("POST", "/v1/apply", document, { "content-type": "application/yaml" });
  }

  registerEnforcer(node: unknown): Promise<{
    readonly enforcer: { readonly id: string };
    readonly bus_credentials: string;
    readonly signing_key: string;
  }> {
    return this.send("POST", "/v1/enforcers", JSON.stringify(node), { "content-type": "application/json" });
  }

  /** Whatever is registered under the name: names are unique. */
  async removeEnforcersNamed(name: string, group: string): Promise<void> {
    type Listed = { readonly items: readonly { readonly id: string; readonly name: string }[] };
    const { items } = await this.send<Listed>("GET", `/v1/enforcers?group=${group}&limit=1000`);
    for (const { id } of items.filter((enforcer) => enforcer.name === name)) {
      await this.send("DELETE", `/v1/enforcers/${id}`);
    }
  }

  /** The demo's server and issuer may come up on other ports than last time; nothing else of what is known changes. */
  async movePlaces(places: { readonly issuer: string; readonly port: number }): Promise<void> {
    await this.change("/v1/resources/shop", (shop) => ({
      ...shop,
      upstream: { ...(shop.upstream as object), port: places.port },
    }));
    await this.change("/v1/issuers/demo", (issuer) => ({ ...issuer, url: places.issuer }));
  }

  /** Changes what an administrator has not removed. */
  private async change(path: string, to: (from: Record<string, unknown>) => Record<string, unknown>): Promise<void> {
    const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.key}` } });
    if (response.status === 404) return;
    if (!response.ok) throw new Error(`GET ${path} was answered with ${response.status}: ${await response.text()}`);
    const { version: _, ...from } = (await response.json()) as Record<string, unknown>;
    const wanted = to(from);
    if (JSON.stringify(wanted) === JSON.stringify(from)) return;
    const etag = response.headers.get("etag");
    await this.send("PUT", path, JSON.stringify(wanted), {
      "content-type": "application/json",
      ...(etag && { "if-match": etag }),
    });
  }

  private async send<T>(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...headers },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
    return text === "" ? (undefined as T) : JSON.parse(text);
  }
}
