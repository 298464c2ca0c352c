import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Stands for the issuer of a CI system: answers with what it was asked as the token. */
export class Issuer {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<Issuer> {
    const server = createServer(async (request, response) => {
      const asked = { url: request.url, authorization: request.headers.authorization, body: await bodyOf(request) };
      const refused = asked.body.includes("scope=forbidden");
      response.writeHead(refused ? 400 : 200, { "content-type": "application/json" });
      const token = Buffer.from(JSON.stringify(asked)).toString("base64url");
      response.end(JSON.stringify(refused ? { error: "invalid_scope" } : { access_token: token, value: token }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Issuer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
