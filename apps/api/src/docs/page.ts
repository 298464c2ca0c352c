import { createHash } from "node:crypto";
import type { OpenAPIObject } from "@nestjs/swagger";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly allOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
}
interface Content {
  readonly schema?: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly {
    name: string;
    in: string;
    required?: boolean;
    description?: string;
    schema?: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses?: Readonly<Record<string, { description?: string; content?: Readonly<Record<string, Content>> }>>;
  readonly "x-roles"?: readonly string[];
}

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:light-dark(#1f5fbf,#8ab4f8)}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem 1.5rem 6rem}
h2{border-bottom:1px solid var(--line);margin-top:3rem;padding-bottom:.3rem}
a{color:var(--accent);text-decoration:none}code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:var(--soft);overflow-x:auto;padding:.7rem;border-radius:6px}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}summary code{font-weight:600}table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
.m{display:inline-block;min-width:4.2rem;font-weight:700;color:var(--accent)}.q{opacity:.7}nav a{margin-right:.9rem}`;

/** Allows exactly this page's style and nothing else: no script, no other origin. */
export const PAGE_POLICY = `default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-${createHash(
  "sha256",
)
  .update(STYLE)
  .digest("base64")}'`;

/** The OpenAPI document as one page to read; needs no script. */
export function renderPage(document: OpenAPIObject): string {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation: operation as Operation })),
  );
  const tags = document.tags ?? [];
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags?.includes(name));
    const body = own.map(({ method, path, operation }) => operationHtml(method, path, operation)).join("");
    return `<h2 id="${name}">${name}</h2><p>${prose(description ?? "")}</p>${body}`;
  });
  const schemas = Object.entries(document.components?.schemas ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, schema]) =>
        `<details id="s-${name}"><summary><code>${name}</code></summary>${schemaHtml(schema as Schema)}</details>`,
    );
  const links = [...tags.map(({ name }) => name), "schemas"].map((name) => `<a href="#${name}">${name}</a>`).join("");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${htmlText(document.info.title)}</title><style>${STYLE}</style></head><body>
<h1>${htmlText(document.info.title)}</h1><p>${prose(document.info.description ?? "")}</p>
<p>Version ${htmlText(document.info.version)} · <a href="/openapi.json">openapi.json</a></p><nav>${links}</nav>
${sections.join("\n")}<h2 id="schemas">schemas</h2>${schemas.join("\n")}</body></html>`;
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const roles = operation["x-roles"]?.join(", ");
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: where, required, description, schema }) =>
      `<tr><td><code>${htmlText(name)}</code> <span class="q">${where}${required ? ", required" : ""}</span></td><td>${
        schema ? typeHtml(schema) : ""
      }</td><td>${prose(description ?? "")}</td></tr>`,
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(([type, content]) =>
    contentHtml(type, content),
  );
  const answers = Object.entries(operation.responses ?? {}).map(([status, { description, content }]) => {
    const types = Object.entries(content ?? {}).map(
      ([type, { schema }]) => `<code>${type}</code> ${schema ? typeHtml(schema) : ""}`,
    );
    return `<tr><td><code>${status}</code></td><td>${prose(description ?? "")}</td><td>${types.join("<br>")}</td></tr>`;
  });
  return `<details><summary><span class="m">${method.toUpperCase()}</span><code>${htmlText(path)}</code> — ${prose(operation.summary ?? "")}</summary>
<p>${prose(operation.description ?? "")}</p>${roles ? `<p class="q">Roles: ${roles}</p>` : '<p class="q">No key needed.</p>'}
${parameters.length > 0 ? `<table>${parameters.join("")}</table>` : ""}${bodies.join("")}<h4>Answers</h4><table>${answers.join("")}</table></details>`;
}

function contentHtml(type: string, { schema, examples, example }: Content): string {
  const shown = Object.values(examples ?? {})[0]?.value ?? example;
  const sample = shown === undefined ? "" : `<pre>${htmlText(JSON.stringify(shown, null, 2))}</pre>`;
  return `<h4>Body: <code>${type}</code> ${schema?.$ref ? typeHtml(schema) : ""}</h4>${schema && !schema.$ref ? schemaHtml(schema) : ""}${sample}`;
}

function schemaHtml(schema: Schema): string {
  const rows = Object.entries(schema.properties ?? {}).map(
    ([name, property]) =>
      `<tr><td><code>${htmlText(name)}</code>${schema.required?.includes(name) ? "" : ' <span class="q">optional</span>'}</td><td>${typeHtml(
        property,
      )}</td><td>${prose(property.description ?? "")}</td></tr>`,
  );
  return `<table>${rows.join("")}</table>`;
}

function typeHtml(schema: Schema): string {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (reference) {
    const name = reference.slice(reference.lastIndexOf("/") + 1);
    return `<a href="#s-${name}">${name}</a>`;
  }
  if (schema.items) return `list of ${typeHtml(schema.items)}`;
  if (schema.enum) return schema.enum.map((value) => `<code>${htmlText(String(value))}</code>`).join(" | ");
  const range = schema.type === "integer" && schema.minimum !== undefined ? ` ≥ ${schema.minimum}` : "";
  return `${schema.type ?? "any"}${schema.format ? ` (${schema.format})` : ""}${range}`;
}

/** Text with `code` in it. */
const prose = (text: string) => htmlText(text).replace(/`([^`]+)`/g, "<code>$1</code>");

const htmlText = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
