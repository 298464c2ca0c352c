import type { NestFastifyApplication } from "@nestjs/platform-fastify";
import { parseDocument } from "yaml";
import { Problem } from "./problem.js";

export const BODY_LIMIT = 1024 * 1024;
const YAML_TYPES = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];
const MAX_ALIASES = 100;

/** YAML beside JSON and forms, which the framework reads. */
export function acceptYaml(app: NestFastifyApplication): void {
  app.useBodyParser(YAML_TYPES, { bodyLimit: BODY_LIMIT }, (_request, body, done) => {
    try {
      done(null, readYaml((body as Buffer).toString("utf8")));
    } catch (error) {
      done(error as Error);
    }
  });
}

function readYaml(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error) {
    const place = error.linePos?.[0];
    const where = place ? `line ${place.line}, column ${place.col}: ` : "";
    const [said = ""] = error.message.split("\n", 1);
    // The parser says the place too, behind its words.
    const what = said.replace(/ at line \d+, column \d+:?$/, "").replace(/:$/, "");
    throw new Problem("malformed", `The YAML cannot be read: ${where}${what}`);
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new Problem("malformed", `The YAML cannot be read: ${(cause as Error).message}`);
  }
}

/** The framework reads plain text too, which no endpoint takes. */
export function refusePlainText(app: NestFastifyApplication): void {
  app.getHttpAdapter().getInstance().removeContentTypeParser("text/plain");
}

/** Forms are for one endpoint: elsewhere one, as curl sends by default, would be read as a strange JSON object. */
export function acceptFormsOnlyAt(app: NestFastifyApplication, path: string): void {
  const refuse = async ({ url, headers }: { url: string; headers: { "content-type"?: string | undefined } }) => {
    const form = /^application\/x-www-form-urlencoded\b/i.test(headers["content-type"] ?? "");
    if (form && url.split("?", 1)[0] !== path) {
      throw new Problem(
        "unsupported_media_type",
        "A form is not understood here: send Content-Type: application/json.",
      );
    }
  };
  app.getHttpAdapter().getInstance().addHook("preParsing", refuse);
}

/** Clients that name a type with every request send it with a DELETE too, where there is nothing to read. */
export function takeDeleteWithoutBody(app: NestFastifyApplication): void {
  const forgetType = async ({ method, headers }: { method: string; headers: Record<string, unknown> }) => {
    const empty = Number(headers["content-length"] ?? 0) === 0 && headers["transfer-encoding"] === undefined;
    if (method === "DELETE" && empty) delete headers["content-type"];
  };
  app.getHttpAdapter().getInstance().addHook("onRequest", forgetType);
}
