import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

interface Answered {
  readonly content?: Record<string, { schema?: object }>;
}
export interface Description {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { responses: Record<string, Answered> }>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}

/** Holds answers against the API's own description: the status, the content type, the schema, and no field beyond it. */
export class Documented {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true });
  private readonly description: Description;

  constructor(description: Description) {
    this.description = structuredClone(description);
    for (const [name, schema] of Object.entries(this.description.components.schemas)) {
      if (schema.properties && name !== "ProblemDocument") schema.additionalProperties = false;
    }
    (addFormats as unknown as (ajv: Ajv2020) => void)(this.ajv);
    this.ajv.addSchema(this.description, "api");
  }

  /** What is wrong with an answer; empty where nothing is. */
  faults(method: string, path: string, status: number, contentType: string, body: string): string[] {
    const route = Object.keys(this.description.paths)
      .filter((template) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path))
      .sort((a, b) => a.split("{").length - b.split("{").length)
      .find((template) => this.description.paths[template]?.[method.toLowerCase()]);
    if (!route) return status === 404 ? [] : [`${method} ${path} is not documented`];
    const answer = this.description.paths[route]?.[method.toLowerCase()]?.responses[String(status)];
    if (!answer) return [`${method} ${route} does not document ${status}`];
    const type = contentType.split(";", 1)[0] ?? "";
    if (!answer.content) return body === "" ? [] : [`${method} ${route} ${status} documents no body`];
    if (!answer.content[type]?.schema) return [`${method} ${route} ${status} does not document ${type}`];
    if (!type.endsWith("json") || type === "application/x-ndjson") return [];
    const pointer = ["paths", route, method.toLowerCase(), "responses", String(status), "content", type, "schema"];
    const $ref = `api#/${pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")}`;
    const valid = this.ajv.compile({ $ref });
    if (valid(JSON.parse(body))) return [];
    return (valid.errors ?? []).map(
      (error) => `${method} ${route} ${status} ${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
    );
  }
}
