import { Body, Controller, HttpCode, Inject, Post, Query } from "@nestjs/common";
import {
  ApiBody,
  ApiConsumes,
  ApiExtraModels,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  getSchemaPath,
} from "@nestjs/swagger";
import type { CallContext } from "#contracts";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { Fails, Idempotent } from "../http/documented.js";
import { Choice, FlagText, Integer, NestedList, Text, Texts } from "../http/fields.js";
import { Checked, invalidInput } from "../http/input.js";
import { Apply } from "./apply.js";
import { type Document, KINDS } from "./document.js";

class ApplyQuery {
  @FlagText({ description: "Only answer the plan.", optional: true })
  dry_run = false;
  @FlagText({ description: "Delete what the document leaves out, of the kinds it lists.", optional: true })
  prune = false;
}

class PlanStep {
  @Choice(["issuer", "resource", "label", "policy"], { description: "What it is about." })
  kind!: string;
  @Text({ description: "Its name.", example: "shop" })
  name!: string;
  @Choice(["create", "update", "unchanged", "delete"], { description: "What is done." })
  action!: string;
  @Texts({ description: "Of an update: the fields that differ.", example: ["upstream.port"] })
  changes!: string[];
  @Choice(["planned", "done", "failed", "skipped"], { description: "How it went; `planned` in a dry run." })
  outcome!: string;
  @Integer({ description: "The version afterwards.", optional: true })
  version?: number;
}

class Warning {
  @Text({ description: "Where: a JSON pointer into the document.", example: "/policies/0/text" })
  pointer!: string;
  @Text({
    description: "What comes to nothing.",
    max: Number.POSITIVE_INFINITY,
    example:
      "policy ci, line 3, column 12: there is no label pii.mail, nor one in a family pii.mail: what is asked of it never matches",
  })
  detail!: string;
}

class Plan {
  @NestedList(() => PlanStep, { description: "Every object of the document, in the order of the writes." })
  plan!: PlanStep[];
  @NestedList(() => Warning, {
    description:
      "What is valid, and comes to nothing as things are: a policy that can never match, a resource that no enforcer serves.",
  })
  warnings!: Warning[];
}

const documentSchema = {
  type: "object" as const,
  additionalProperties: false,
  properties: Object.fromEntries(
    KINDS.map(({ many, declared }) => [many, { type: "array" as const, items: { $ref: getSchemaPath(declared) } }]),
  ),
};

@ApiTags("apply")
@Controller("v1/apply")
export class ApplyController {
  constructor(@Inject(Apply) private readonly apply: Apply) {}

  @Post()
  @HttpCode(200)
  @Access("change")
  @ApiOperation({
    operationId: "apply",
    summary: "Make everything be as a document declares",
    description:
      "The whole document is checked before anything is written, in a dry run too, by the services that keep it as well. Applying it again changes nothing. Each object is written " +
      "on the version the plan saw. Where a write fails, the problem's `plan` says what was done and what was not.",
  })
  @ApiExtraModels(...KINDS.map(({ declared }) => declared))
  @ApiConsumes("application/json", "application/yaml")
  @ApiBody({
    schema: documentSchema,
    examples: {
      usual: {
        value: Object.fromEntries(KINDS.map(({ many, one, example }) => [many, [{ name: `a-${one}`, ...example }]])),
      },
    },
  })
  @Idempotent()
  @ApiOkResponse({ type: Plan, description: "The plan, carried out unless `dry_run`." })
  @Fails(
    ...(["invalid", "malformed", "unauthenticated", "forbidden", "conflict", "version_conflict"] as const),
    ...(["too_large", "unsupported_media_type", "key_reused"] as const),
  )
  async post(
    @Body() body: unknown,
    @Query(new Checked(ApplyQuery, "query")) query: ApplyQuery,
    @Caller() call: CallContext,
  ) {
    if (typeof body !== "object" || body === null || Array.isArray(body)) {
      throw invalidInput([{ pointer: "", detail: "must be an object with issuers, resources, labels or policies" }]);
    }
    const options = { dryRun: query.dry_run, prune: query.prune };
    return this.apply.apply(body as Document, options, call);
  }
}
