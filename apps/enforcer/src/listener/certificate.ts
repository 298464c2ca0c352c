import { X509Certificate } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import { edgeV1 } from "#contracts";
import { makeRequest } from "../certificates/certificate-request.js";
import { endpointBinding } from "../certificates/endpoint-binding.js";
import type { Clock } from "../clock.js";
import type { ControlPlane } from "../control/control-plane.js";
import type { Log } from "../log.js";

/** What listeners take TLS with. */
export interface ListenerTls {
  readonly context: SecureContext;
  /** `tls-server-end-point` (RFC 5929 section 4.1), where the certificate's signature has one hash. */
  endpoint(): Promise<Uint8Array | null>;
}

export interface CertificateOptions {
  readonly file: string;
  readonly commonName: string;
  /** Names and addresses agents dial. */
  readonly hosts: readonly string[];
  readonly softwareVersion: string;
  /** Where one is kept: enroll now all the same, only when it is time, or leave that to another process of the node. */
  readonly enrolls: "now" | "in time" | "never";
  /** Another one is kept now. */
  readonly renewed: () => void;
  readonly control: Pick<ControlPlane, "call">;
  readonly clock: Clock;
  readonly log: Log;
}

interface Kept {
  readonly hosts: readonly string[];
  readonly key: string;
  readonly certificate: string;
}

const RETRY_MS = 1_000;
const RENEW_AT = 2 / 3;

/**
 * The listeners' certificate, from the control plane's CA. The key is made here and never leaves; key and certificate
 * are kept (0600), so that a restart needs no control plane. Renewed at two thirds of its life.
 */
export class ListenerCertificate {
  #current: ListenerTls | null = null;
  #stopped = false;
  #stopRenewal = () => {};

  constructor(private readonly options: CertificateOptions) {}

  get current(): ListenerTls | null {
    return this.#current;
  }

  /** Resolves when there is one: at once where a good one is kept. */
  async start(): Promise<void> {
    const kept = this.#kept();
    if (kept) {
      this.#use(kept);
      if (this.options.enrolls === "now") void this.#enroll();
      return;
    }
    await this.#enroll();
  }

  /** Another process of the node has got one. */
  reload(): void {
    const kept = this.#kept();
    if (kept) this.#use(kept);
  }

  stop(): void {
    this.#stopped = true;
    this.#stopRenewal();
  }

  #kept(): Kept | null {
    try {
      const kept = JSON.parse(readFileSync(this.options.file, "utf8")) as Kept;
      const usable = Date.parse(new X509Certificate(kept.certificate).validTo) > this.options.clock.now() + 60_000;
      return usable && JSON.stringify(kept.hosts) === JSON.stringify(this.options.hosts) ? kept : null;
    } catch {
      return null;
    }
  }

  async #enroll(): Promise<void> {
    const { control, clock, log, softwareVersion, hosts, file } = this.options;
    for (let said = ""; !this.#stopped; ) {
      try {
        const { key, request } = await makeRequest(this.options.commonName, hosts);
        const answer = await control.call(edgeV1.EdgeIdentity.method.enroll, {
          certificateRequest: request,
          softwareVersion,
        });
        const kept: Kept = { hosts, key, certificate: `${answer.certificate.trim()}\n${answer.ca.trim()}\n` };
        this.#use(kept);
        const draft = `${file}.draft`;
        writeFileSync(draft, JSON.stringify(kept), { mode: 0o600 });
        renameSync(draft, file);
        this.options.renewed();
        return;
      } catch (error) {
        if (said !== String(error))
          log.warn({ error: String(error) }, "the control plane gave no certificate yet; asking again");
        said = String(error);
        await new Promise<void>((again) => clock.after(RETRY_MS, again));
      }
    }
  }

  #use({ key, certificate }: Kept): void {
    const leaf = new X509Certificate(certificate);
    let endpoint: Promise<Uint8Array | null> | undefined;
    this.#current = {
      context: createSecureContext({ key, cert: certificate, minVersion: "TLSv1.2" }),
      endpoint: () => (endpoint ??= endpointBinding(leaf.raw)),
    };
    if (this.options.enrolls === "never") return;
    const born = Date.parse(leaf.validFrom);
    const renewal = born + (Date.parse(leaf.validTo) - born) * RENEW_AT;
    this.#stopRenewal();
    this.#stopRenewal = this.options.clock.after(Math.max(RETRY_MS, renewal - this.options.clock.now()), () => {
      void this.#enroll();
    });
  }
}
