import type { DomainEvent } from "#event-store";

export type UseMode = "once" | "burst" | "run";

/** Who acts; as `#commands` has it. */
export interface Principal {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly run: string;
  readonly onBehalfOf: readonly string[];
}

/** What a token permits; as `#tokens` signs it. */
export interface Grant {
  readonly tokenId: string;
  readonly principal: Principal;
  readonly resource: string;
  readonly protocol: string;
  readonly scope: readonly string[];
  readonly mode: UseMode;
  readonly uses: number;
  readonly windowSeconds: number;
  /** Milliseconds since 1970. */
  readonly mintedAt: number;
  readonly expiresAt: number;
}

/** The log is read by many: nothing that could verify a secret is in an event. */
export type TokenEvent =
  | DomainEvent<
      "TokenMinted",
      {
        readonly grant: Grant;
        /** Ed25519, base64. */
        readonly signature: string;
        /** The issuer's own id of what it was exchanged for, where that was good for one token only. */
        readonly subjectTokenId?: string;
      }
    >
  | DomainEvent<
      "TokenRedeemed",
      {
        readonly sessionId: string;
        readonly enforcerId: string;
        readonly clientAddress: string;
        readonly clientApplication: string;
        readonly at: number;
      }
    >
  | DomainEvent<
      "SessionReleased",
      {
        readonly sessionId: string;
        readonly at: number /** It never opened: its use is given back. */;
        readonly unopened?: true;
      }
    >
  | DomainEvent<"SessionEndOrdered", { readonly sessionId: string; readonly reason: string; readonly at: number }>
  | DomainEvent<
      "TokenRevoked",
      { readonly reason: string; readonly at: number /** Open until now. */; readonly sessionIds: readonly string[] }
    >;
