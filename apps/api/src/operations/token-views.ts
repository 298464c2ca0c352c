import { Choice, Integer, Moment, Nested, NestedList, Text, Texts } from "../http/fields.js";
import { PageQuery } from "../http/pages.js";
import { Principal } from "../http/views.js";

const STATUSES = ["active", "spent", "expired", "revoked"];

export class TokensQuery extends PageQuery {
  @Choice(STATUSES, { description: "Only these.", optional: true })
  status?: string;
  @Text({ description: "Only of this principal, by id.", optional: true })
  principal?: string;
  @Text({ description: "Only for this resource.", optional: true, example: "shop" })
  resource?: string;
  @Text({ description: "Only of this run.", optional: true })
  run?: string;
}

export class Token {
  @Text({ description: "The public half." })
  id!: string;
  @Nested(() => Principal, { description: "Whose.", optional: true })
  principal?: Principal;
  @Text({ description: "For which resource.", example: "shop" })
  resource!: string;
  @Text({ description: "The resource's protocol.", example: "postgres" })
  protocol!: string;
  @Texts({ description: "Actions it is limited to; empty: whatever policy permits.", example: ["sql:read"] })
  scope!: string[];
  @Choice(["once", "burst", "run"], { description: "How often it can be used.", optional: true })
  mode?: string;
  @Integer({ description: "Of `burst` and `once`: how many sessions." })
  uses!: number;
  @Integer({ description: "How many there were." })
  used!: number;
  @Integer({ description: "Of `burst`: seconds from the first session to the last." })
  window_seconds!: number;
  @Choice(STATUSES, {
    description: "How it stands. `spent`: it opens no further session; those it has opened go on.",
    optional: true,
  })
  status?: string;
  @Integer({
    description: "How many sessions it has open; one that was lost with its enforcer counts until the token expires.",
    example: 1,
  })
  open_sessions!: number;
  @Moment({ description: "Since when.", optional: true })
  minted_at?: string;
  @Moment({ description: "Until when.", optional: true })
  expires_at?: string;
  @Text({ description: "Why it was revoked; empty where it was not." })
  revoked_because!: string;
  @Integer({ description: "Rises with every change." })
  version!: number;
}

export const SELECTORS = ["token", "principal", "run", "resource", "issuer"] as const;

export class Revocation {
  @Choice(SELECTORS, { description: "What selects the tokens.", example: "run" })
  by!: (typeof SELECTORS)[number];
  @Text({ description: "The token's id, the principal's id, the run, or the name.", min: 1, example: "17" })
  value!: string;
  @Text({ description: "Why; recorded, and open sessions are told.", optional: true, example: "leaked in a log" })
  reason = "";
}

export class RevokedToken {
  @Text({ description: "Its public id." })
  id!: string;
  @Choice(["revoked", "revoked-before", "spent", "expired"], {
    description:
      "`revoked`: now. Else there was nothing to revoke: `revoked-before`; `spent`, with no session open; `expired`.",
  })
  outcome!: string;
  @Integer({ description: "How many open sessions were closed." })
  sessions_ended!: number;
}

export class Revoked {
  @NestedList(() => RevokedToken, {
    description: "What became of each: the one named, or all that had not expired, nor been revoked before.",
    atMost: 100_000,
  })
  tokens!: RevokedToken[];
}

export class RevokeQuery {
  @Text({ description: "Why; recorded, and open sessions are told.", optional: true, example: "leaked in a log" })
  reason?: string;
}
