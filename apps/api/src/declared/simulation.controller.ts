import { create } from "@bufbuild/protobuf";
import { Body, Controller, HttpCode, Inject, Post } from "@nestjs/common";
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from "@nestjs/swagger";
import { Bus } from "#bus";
import { type CallContext, modelV1, policyV1 } from "#contracts";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { Fails } from "../http/documented.js";
import { Checked } from "../http/input.js";
import { parse, represent } from "../http/representation.js";
import { SimulatedVerdict, Simulation } from "./simulation-views.js";

const NO_ISSUER = "The principal is not written as <issuer>|<subject>, as those of tokens are.";

@ApiTags("policies")
@Controller("v1/policies/simulate")
export class SimulationController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Post()
  @HttpCode(200)
  @Access("read")
  @ApiOperation({
    operationId: "simulate",
    summary: "Tell the verdict a principal would get for a statement",
    description: "Changes nothing and runs nothing; says which policy decides.",
  })
  @ApiBody({ type: Simulation })
  @ApiOkResponse({ type: SimulatedVerdict, description: "The verdict." })
  @Fails(
    ...(["invalid", "malformed", "unauthenticated", "forbidden", "not_found"] as const),
    ...(["too_large", "unsupported_media_type"] as const),
  )
  async simulate(@Body(new Checked(Simulation)) body: Simulation, @Caller() call: CallContext) {
    const [issuer = "", subject = ""] = body.principal.id.split(/\|(.*)/s);
    const principal = parse(modelV1.PrincipalSchema, { issuer, subject, ...defined(body.principal) });
    const { resource, statement } = body;
    const request = create(policyV1.SimulateRequestSchema, { principal, resource, statement });
    const verdict = await this.bus.call(policyV1.Policy.method.simulate, request, call);
    if (issuer === "" || subject === "") verdict.caveats.push(NO_ISSUER);
    return represent(policyV1.SimulateResponseSchema, verdict);
  }
}

const defined = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
