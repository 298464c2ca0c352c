import type { HostPart, Refusal, ResourcePart } from "#commands";
import type { Protocol, UpstreamLoginOptions } from "#protocols";
import type { Clock } from "../clock.js";
import { CredentialMissing, resolveCredential } from "./credential.js";
import { createDeriveKey } from "./derived-keys.js";
import { HostAway, HostHealth } from "./host-health.js";
import { cancelAt, type LoggedIn, logInAt, predicateOf, UpstreamRefused } from "./upstream-login.js";

/** The resource could not be reached. The refusal is fit for the client; the cause is for the node's own log. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  constructor(
    readonly refusal: Refusal,
    cause?: unknown,
  ) {
    super(refusal.message, { cause });
  }
}

export interface UpstreamConnection extends LoggedIn {
  /** Which of the resource's hosts it is: a cancel request must find the same. */
  readonly host: HostPart;
}

type Target = UpstreamLoginOptions["target"];

/**
 * Connections to resources, with their real credentials. A resource's hosts are tried in their order, as libpq does
 * (manual, "Specifying Multiple Hosts"): the next one where a host is away, starting up, or not what
 * `target_session_attrs` asks for; but not where a host refuses the credential or is not trusted.
 */
export class Upstreams {
  readonly #health: HostHealth;
  readonly #deriveKey = createDeriveKey();

  constructor(clock: Clock) {
    this.#health = new HostHealth(clock);
  }

  /** @throws UpstreamFailure whose sentences name the resource, never its address, user or secret. */
  async dial(
    resource: ResourcePart,
    protocol: Protocol,
    settings: ReadonlyMap<string, string>,
  ): Promise<UpstreamConnection> {
    const failures: unknown[] = [];
    for (const target of targetsOf(resource)) {
      failures.length = 0;
      for (const host of resource.upstream.hosts) {
        try {
          const options = { ...credentialOf(resource), settings, target, deriveKey: this.#deriveKey };
          const loggedIn = await this.#health.use(host, () => logInAt(host, resource, protocol, options));
          return { ...loggedIn, host };
        } catch (error) {
          failures.push(error);
          if (!mayDoElsewhere(error)) throw failureOf(resource, [error]);
        }
      }
    }
    throw failureOf(resource, failures);
  }

  /** Calls `use` for one host after the other, until one can be reached. @throws UpstreamFailure, and what `use` throws */
  async reach<T>(resource: ResourcePart, use: (host: HostPart) => Promise<T>): Promise<T> {
    const failures: HostAway[] = [];
    for (const host of resource.upstream.hosts) {
      try {
        return await this.#health.use(host, () => use(host));
      } catch (error) {
        if (!(error instanceof HostAway)) throw error;
        failures.push(error);
      }
    }
    throw failureOf(resource, failures);
  }

  /** Stops what runs on a connection; the answer is only that it was asked. @throws UpstreamFailure */
  async cancel(resource: ResourcePart, protocol: Protocol, { host, ready }: UpstreamConnection): Promise<void> {
    try {
      await cancelAt(host, resource, protocol, ready.cancelKey);
    } catch (error) {
      throw failureOf(resource, [error]);
    }
  }
}

/** A standby is preferred by looking for one first. */
function targetsOf({ upstream: { targetSessionAttrs } }: ResourcePart): readonly Target[] {
  return targetSessionAttrs === "prefer-standby" ? ["standby", "any"] : [targetSessionAttrs];
}

function credentialOf({ credential: { username, password } }: ResourcePart) {
  return { username, password: resolveCredential(password) };
}

const mayDoElsewhere = (error: unknown) =>
  error instanceof HostAway || (error instanceof UpstreamRefused && error.failed.fault === "unsuited");

const ASK_AN_ADMINISTRATOR = "Try again later; an administrator finds the cause in the enforcer's log.";

function failureOf({ name }: ResourcePart, errors: readonly unknown[]): UpstreamFailure {
  const [error] = errors;
  const fail = (message: string, hint: string, code: Refusal["code"] = "unavailable") =>
    new UpstreamFailure({ code, message, hint }, errors.length > 1 ? new AggregateError(errors) : error);
  if (errors.length > 1) {
    const each = errors.map((one, index) => `${index + 1}. ${reasonOf(one)}`).join("; ");
    return fail(`No host of the resource ${name} will do: ${each}.`, ASK_AN_ADMINISTRATOR);
  }
  if (error instanceof UpstreamRefused) return new UpstreamFailure(error.failed.refusal, error);
  if (error instanceof CredentialMissing) {
    const hint = "An administrator can look at the enforcer's log and correct the resource's credential reference.";
    return fail(`The enforcer has no credential for ${name}.`, hint);
  }
  return fail(`The resource ${name} ${reasonOf(error)}.`, ASK_AN_ADMINISTRATOR);
}

function reasonOf(error: unknown): string {
  if (error instanceof HostAway) return error.why;
  if (error instanceof UpstreamRefused) return predicateOf(error);
  return "cannot be reached";
}
