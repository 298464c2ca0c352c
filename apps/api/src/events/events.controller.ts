import { Readable } from "node:stream";
import { Controller, Get, Inject, Query, Res, StreamableFile } from "@nestjs/common";
import { ApiOperation, ApiResponse, ApiTags } from "@nestjs/swagger";
import type { FastifyReply } from "fastify";
import { Bus } from "#bus";
import type { CallContext } from "#contracts";
import { API_CONFIG, type ApiConfig } from "../api.config.js";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { Fails } from "../http/documented.js";
import { FlagText, IntegerText } from "../http/fields.js";
import { Checked } from "../http/input.js";
import { eventLines } from "./event-stream.js";

class EventsQuery {
  @IntegerText({ description: "Entries with an index greater than this.", optional: true, example: 0 })
  after = 0;
  @IntegerText({
    description: "At most this many; 1000 where absent, no end while following.",
    min: 1,
    max: 1_000_000,
    optional: true,
  })
  limit?: number;
  @FlagText({ description: "Go on with what is appended later.", optional: true })
  follow = false;
}

const DEFAULT_LIMIT = 1000;

@ApiTags("events")
@Controller("v1/events")
export class EventsController {
  constructor(
    @Inject(Bus) private readonly bus: Bus,
    @Inject(API_CONFIG) private readonly config: ApiConfig,
  ) {}

  @Get()
  @Access("read")
  @ApiOperation({
    operationId: "read_events",
    summary: "Read the audit log as NDJSON",
    description:
      "One entry a line, its dense `index` first. To resume, ask for `after` the last index seen. While following, empty " +
      "lines show that the stream lives. What the types are and what `data` holds: docs/events.md.",
  })
  @Fails("invalid", "unauthenticated", "forbidden")
  @ApiResponse({
    status: 200,
    description: "Entries, one a line.",
    content: {
      "application/x-ndjson": {
        schema: { type: "string" },
        example: '{"index":1,"data":{"enforcer_id":"…","cause":"client"},"session_id":"…","type":"session.ended"}\n',
      },
    },
  })
  async read(
    @Query(new Checked(EventsQuery, "query")) { after, limit, follow }: EventsQuery,
    @Caller() call: CallContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const range = { after, limit: limit ?? (follow ? undefined : DEFAULT_LIMIT), follow };
    const lines = eventLines(this.bus, range, call, { heartbeatMs: this.config.heartbeatMs, signal: gone.signal });
    const stream = Readable.from(await started(lines, follow), { objectMode: false });
    return new StreamableFile(stream, { type: "application/x-ndjson; charset=utf-8" });
  }
}

/**
 * The same lines, the first one fetched: what fails at once is a problem document, not a broken stream. A follower gets
 * an empty line first, so that its headers do not wait for the next event.
 */
async function started(lines: AsyncGenerator<string, void, undefined>, follow: boolean) {
  if (follow) {
    return (async function* () {
      yield "\n";
      yield* lines;
    })();
  }
  const first = await lines.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* lines;
  })();
}
