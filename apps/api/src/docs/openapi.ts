import type { INestApplication } from "@nestjs/common";
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from "@nestjs/swagger";
import { InputErrorDocument, ProblemDocument } from "../http/documented.js";

/** Of the API, not of the program: the minor rises with what is added. */
const VERSION = "1.0";

const TAGS: readonly (readonly [string, string])[] = [
  ["token", "Where agents trade their workload identity for a token"],
  ["apply", "A whole declarative document at once"],
  ["issuers", "Trusted identity providers"],
  ["resources", "What enforcers can reach"],
  ["labels", "Kinds of sensitive data"],
  ["policies", "Who may do what"],
  ["enforcers", "The nodes beside the resources"],
  ["sessions", "What agents do"],
  ["approvals", "What waits for a person"],
  ["tokens", "What agents hold"],
  ["events", "The audit log"],
  ["admin-keys", "Keys to this API"],
  ["health", "For whoever runs it"],
];

/** The OpenAPI 3.1 document of the application's routes. */
export function describeApi(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion("3.1.0")
    .setTitle("Counterfoil control API")
    .setDescription(
      "Short-lived agents use databases through an enforcer that swaps a short-lived token for the real credential and " +
        "decides, masks, holds and records every command. Errors are RFC 9457 problem documents, at `/v1/token` RFC 6749's.",
    )
    .setVersion(VERSION)
    .setLicense("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")
    .addServer("/", "This one")
    .addSecurity("key", {
      type: "http",
      scheme: "bearer",
      description:
        "An admin key (`cfk_…`). Roles: `admin` may do all, `approver` may read and decide, " +
        "`approver:<group>` may read and decide what is asked of that group, `auditor` may read.",
    });
  for (const [name, description] of TAGS) builder.addTag(name, description);
  const document = SwaggerModule.createDocument(app, builder.build(), {
    extraModels: [ProblemDocument, InputErrorDocument],
  });
  const schemas = ((document.components ??= {}).schemas ??= {});
  schemas.Health = { type: "object", required: ["status"], properties: { status: { type: "string", enum: ["ok"] } } };
  return document;
}
