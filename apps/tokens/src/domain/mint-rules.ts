import { Refused } from "#event-store";
import type { Grant, Principal, UseMode } from "./events.js";

const DEFAULT_LIFETIME_SECONDS = 600;
const LONGEST_LIFETIME_SECONDS = 3600;
const MOST_USES = 1000;
const DEFAULT_USES = 10;
const DEFAULT_WINDOW_SECONDS = 60;

/** What is asked for; zeros stand for defaults. */
export interface MintRequest {
  readonly tokenId: string;
  readonly principal: Principal;
  readonly resource: string;
  readonly protocol: string;
  readonly scope: readonly string[];
  readonly mode: UseMode;
  readonly uses: number;
  readonly windowSeconds: number;
  readonly lifetimeSeconds: number;
  readonly now: number;
}

/** The grant that a request comes to. @throws Refused `invalid`, with the `field` in its details */
export function grantFor(request: MintRequest): Grant {
  const { tokenId, principal, resource, protocol, scope, mode, now } = request;
  for (const [field, value] of Object.entries({ "principal.id": principal.id, resource, protocol })) {
    if (value === "") throw invalid(field, `a token needs \`${field}\``);
  }
  const lifetime = request.lifetimeSeconds || DEFAULT_LIFETIME_SECONDS;
  if (!isWithin(lifetime, 1, LONGEST_LIFETIME_SECONDS)) {
    throw invalid("lifetime_seconds", `a token lives 1 to ${LONGEST_LIFETIME_SECONDS} seconds, not ${lifetime}`);
  }
  checkScope(scope);
  return {
    ...{ tokenId, principal, resource, protocol, scope: [...new Set(scope)] },
    ...usesOf(request, lifetime),
    ...{ mode, mintedAt: now, expiresAt: now + lifetime * 1000 },
  };
}

function checkScope(scope: readonly string[]): void {
  if (scope.length > 64) throw invalid("scope", "a scope holds at most 64 actions");
  for (const action of scope) {
    if (!/^(connect|reveal|[a-z][a-z0-9_]{0,31}:[a-z][a-z0-9_]{0,62})$/.test(action)) {
      throw invalid("scope", `\`${action.slice(0, 100)}\` is no action: write it like \`sql:read\``);
    }
  }
}

function usesOf({ mode, uses, windowSeconds, principal }: MintRequest, lifetime: number) {
  switch (mode) {
    case "once":
      if (uses > 1) throw invalid("uses", `a \`once\` token has one use, not ${uses}: ask for a \`burst\``);
      if (windowSeconds !== 0) throw invalid("window_seconds", "only a `burst` token has a window");
      return { uses: 1, windowSeconds: 0 };
    case "burst": {
      const window = windowSeconds || Math.min(DEFAULT_WINDOW_SECONDS, lifetime);
      if (uses !== 0 && !isWithin(uses, 2, MOST_USES)) {
        throw invalid("uses", `a \`burst\` token has 2 to ${MOST_USES} uses, not ${uses}`);
      }
      if (!isWithin(window, 1, lifetime)) {
        throw invalid("window_seconds", `the window is 1 second to the token's lifetime (${lifetime}), not ${window}`);
      }
      return { uses: uses || DEFAULT_USES, windowSeconds: window };
    }
    case "run":
      if (principal.run === "") {
        throw invalid(
          "mode",
          `${principal.id} belongs to no run: map the issuer's claim for it, or ask for a \`burst\``,
        );
      }
      if (uses !== 0) throw invalid("uses", "a `run` token's uses are not counted");
      if (windowSeconds !== 0) throw invalid("window_seconds", "only a `burst` token has a window");
      return { uses: 0, windowSeconds: 0 };
    default:
      return mode satisfies never;
  }
}

const isWithin = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most;

const invalid = (field: string, message: string) => new Refused("invalid", message, { field });
