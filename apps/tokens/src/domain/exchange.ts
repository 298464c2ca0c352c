import { type Decider, type DomainEvent, Refused } from "#event-store";

/** An exchange of an identity token that came to no token of ours, or several alike, of which the last is described. */
export interface RefusedExchange {
  /** A word. */
  readonly reason: string;
  /** What the client was told. */
  readonly message: string;
  /** The trusted issuer's name; empty where it is none. */
  readonly issuer: string;
  /** As the issuer signed them; empty where nothing is proven. */
  readonly subject: string;
  readonly subjectTokenId: string;
  /** Empty where it was not told. */
  readonly principalId: string;
  readonly resource: string;
  readonly clientAddresses: readonly string[];
  readonly count: number;
  /** When the first of them was, and when this was told: milliseconds since 1970. */
  readonly since: number;
  readonly at: number;
}

type ExchangeState = "absent" | "refused";
type ExchangeCommand = { readonly type: "Refuse"; readonly exchange: RefusedExchange };
export type ExchangeEvent = DomainEvent<"ExchangeRefused", RefusedExchange>;

/** Each is a stream of its own: it happened, and nothing comes of it. What comes of one that is granted is a token. */
export const exchange: Decider<ExchangeState, ExchangeCommand, ExchangeEvent> = {
  initialState: () => "absent",
  decide({ exchange }, state) {
    if (!/^[a-z][a-z_]{0,62}$/.test(exchange.reason)) {
      throw new Refused("invalid", "the reason must be a word", { field: "reason" });
    }
    return state === "refused" ? [] : [{ type: "ExchangeRefused", data: exchange }];
  },
  evolve: () => "refused",
};
