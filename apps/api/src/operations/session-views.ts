import { Choice, Integer, Moment, Nested, NestedList, Text, Texts } from "../http/fields.js";
import { PageQuery } from "../http/pages.js";
import { Principal } from "../http/views.js";

const STATUSES = ["open", "ended", "lost"];

export class SessionsQuery extends PageQuery {
  @Choice(STATUSES, { description: "Only these.", optional: true })
  status?: string;
  @Text({ description: "Only of this resource.", optional: true, example: "shop" })
  resource?: string;
  @Text({ description: "Only of this principal, by id.", optional: true, example: "github|repo:acme/shop" })
  principal?: string;
}

export class Session {
  @Text({ description: "Its id." })
  id!: string;
  @Choice(STATUSES, { description: "`lost` where its enforcer went silent past the lease." })
  status!: string;
  @Nested(() => Principal, { description: "Who.", optional: true })
  principal?: Principal;
  @Text({ description: "On which resource.", example: "shop" })
  resource!: string;
  @Text({ description: "In which protocol.", example: "postgres" })
  protocol!: string;
  @Text({ description: "Under which token." })
  token_id!: string;
  @Text({ description: "At which enforcer." })
  enforcer_id!: string;
  @Text({ description: "From where.", example: "10.0.0.7:51812" })
  client_address!: string;
  @Text({ description: "With what, as the client says.", example: "psql" })
  client_application!: string;
  @Moment({ description: "Since when.", optional: true })
  started_at?: string;
  @Moment({ description: "Until when; absent while it is open.", optional: true })
  ended_at?: string;
  @Text({ description: "Why it ended; empty while it is open.", max: Number.POSITIVE_INFINITY, example: "client" })
  ended_because!: string;
  @Integer({ description: "Commands so far." })
  commands!: number;
  @Integer({ description: "How many of them were refused." })
  refused!: number;
  @Integer({ description: "Values masked so far." })
  values_masked!: number;
}

export class SessionCommand {
  @Integer({ description: "Its place in the session, from 1." })
  ordinal!: number;
  @Text({ description: "The exact text.", max: Number.POSITIVE_INFINITY, example: "select name from customers" })
  statement!: string;
  @Texts({ description: "Its parameters, as text.", max: Number.POSITIVE_INFINITY, atMost: 10_000 })
  parameters!: string[];
  @Texts({ description: "What it does.", example: ["sql:select"] })
  actions!: string[];
  @Texts({ description: "Tables it reads.", example: ["public.customers"] })
  tables_read!: string[];
  @Texts({ description: "Tables it writes." })
  tables_written!: string[];
  @Choice(["allow", "hold", "deny"], { description: "What was decided." })
  verdict!: string;
  @Choice(["running", "held", "done", "failed", "refused", "unknown"], {
    description: "How it stands; `unknown` where the session ended, or the enforcer died, before the answer.",
  })
  status!: string;
  @Texts({ description: "The policies that decided.", example: ["ci-reads"] })
  policies!: string[];
  @Integer({ description: "The policies' epoch." })
  policy_epoch!: number;
  @Text({ description: "The approval it waited for; empty where it did not." })
  approval_id!: string;
  @Integer({ description: "Rows it gave back or changed." })
  rows!: number;
  @Integer({ description: "Bytes of data it gave back." })
  bytes!: number;
  @Integer({ description: "Values masked in them." })
  values_masked!: number;
  @Integer({ description: "Microseconds from forwarding to its end." })
  duration_us!: number;
  @Text({ description: "The resource's error code where it failed, such as an SQLSTATE." })
  error_code!: string;
  @Text({ description: "Why it was held or refused.", max: Number.POSITIVE_INFINITY })
  reason!: string;
  @Moment({ description: "When it was decided.", optional: true })
  at?: string;
}

export class SessionWithCommands extends Session {
  @NestedList(() => SessionCommand, { description: "In order." })
  command_log!: SessionCommand[];
}

export class EndQuery {
  @Text({ description: "Why; it is recorded and the client is told.", optional: true, example: "runaway job" })
  reason?: string;
}
