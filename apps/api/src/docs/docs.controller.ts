import { Controller, Get, Header, Inject, Injectable } from "@nestjs/common";
import { ApiOperation, ApiResponse, ApiTags, type OpenAPIObject } from "@nestjs/swagger";
import { Access } from "../http/access.js";
import { Fails } from "../http/documented.js";
import { PAGE_POLICY, renderPage } from "./page.js";

/** The API's description, made once the application has all its routes. */
@Injectable()
export class ApiDescription {
  private made: { document: OpenAPIObject; page: string } | undefined;

  set(document: OpenAPIObject): void {
    this.made = { document, page: renderPage(document) };
  }

  get() {
    if (!this.made) throw new Error("the API has not been described yet");
    return this.made;
  }
}

@ApiTags("health")
@Controller()
@Access("public")
export class DocsController {
  constructor(@Inject(ApiDescription) private readonly description: ApiDescription) {}

  @Get("openapi.json")
  @ApiOperation({ operationId: "openapi", summary: "This API, as OpenAPI 3.1" })
  @ApiResponse({
    status: 200,
    description: "The document.",
    content: { "application/json": { schema: { type: "object" } } },
  })
  @Fails()
  document(): OpenAPIObject {
    return this.description.get().document;
  }

  @Get("docs")
  @Header("Content-Type", "text/html; charset=utf-8")
  @Header("Content-Security-Policy", PAGE_POLICY)
  @ApiOperation({ operationId: "docs", summary: "This API, as a page to read" })
  @ApiResponse({ status: 200, description: "The page.", content: { "text/html": { schema: { type: "string" } } } })
  @Fails()
  page(): string {
    return this.description.get().page;
  }
}
