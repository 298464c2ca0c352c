import { Controller, Get, Inject } from "@nestjs/common";
import { ApiOperation, ApiResponse, ApiTags } from "@nestjs/swagger";
import { Bus } from "#bus";
import { Access } from "./http/access.js";
import { Fails } from "./http/documented.js";
import { Problem } from "./http/problem.js";

const WAIT_MS = 2_000;
const OK = { status: 200, content: { "application/json": { schema: { $ref: "#/components/schemas/Health" } } } };

@ApiTags("health")
@Controller()
@Access("public")
export class HealthController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Get("healthz")
  @ApiOperation({ operationId: "healthz", summary: "Whether the process lives" })
  @ApiResponse({ ...OK, description: "It lives." })
  @Fails()
  health() {
    return { status: "ok" };
  }

  @Get("readyz")
  @ApiOperation({ operationId: "readyz", summary: "Whether it can do its work: the bus answers" })
  @ApiResponse({ ...OK, description: "It can." })
  @Fails()
  async ready() {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("no answer")), WAIT_MS);
    });
    try {
      await Promise.race([this.bus.nats.flush(), late]);
      return { status: "ok" };
    } catch {
      throw new Problem("unavailable", "The bus does not answer.", {}, 2);
    } finally {
      clearTimeout(timer);
    }
  }
}
