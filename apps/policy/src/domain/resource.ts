import { checkAll, checkName, checkText, invalid } from "./checks.js";
import { declaredDecider } from "./declared.js";

export interface ResourceDefinition {
  readonly name: string;
  readonly protocol: string;
  /** The enforcers that serve it. */
  readonly group: string;
  readonly upstream: Upstream;
  readonly credential: { readonly username: string; readonly password: string };
  readonly reads: "os" | "disk";
}

/** Either `host` and `port`, or `hosts`. What is not said is absent, so that it means the same in every version. */
export interface Upstream {
  readonly host?: string;
  readonly port?: number;
  readonly hosts?: readonly Host[];
  readonly targetSessionAttrs?: TargetSessionAttrs;
  readonly database: string;
  readonly tls: "disable" | "require" | "verify-full";
  readonly ca: string;
}

export interface Host {
  readonly host: string;
  readonly port: number;
}

type TargetSessionAttrs = "any" | "read-write" | "read-only" | "primary" | "standby" | "prefer-standby";

export const resourceDecider = declaredDecider("Resource", checkResource);

const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;
const MOST_HOSTS = 16;
const IPV6 = /^(?=(?:[^:]*:){2})[0-9A-Fa-f:.]{2,45}$/;

function checkResource({ name, group, upstream, credential }: ResourceDefinition): void {
  checkAll(
    () => checkName("name", name),
    () => checkName("group", group),
    () => checkHosts(upstream),
    () => checkText("upstream.database", upstream.database, { least: 0, most: 255 }),
    () => checkAuthority("upstream.ca", upstream.ca),
    () => checkText("credential.username", credential.username, { least: 1, most: 255 }),
    () => checkReference("credential.password", credential.password),
  );
}

function checkAuthority(field: string, ca: string): void {
  if (ca === "" || /^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/.test(ca)) return;
  throw invalid(field, "must be certificates in PEM, or empty for the system's roots");
}

/** The hosts an upstream may be reached at, in order. */
export const hostsOf = ({ host = "", port = 0, hosts }: Upstream): readonly Host[] => hosts ?? [{ host, port }];

function checkHosts(upstream: Upstream): void {
  const { host, port, hosts } = upstream;
  if (hosts && (host !== undefined || port !== undefined)) {
    throw invalid("upstream.hosts", "takes the place of host and port: give the one or the other");
  }
  if (hosts && (hosts.length === 0 || hosts.length > MOST_HOSTS)) {
    throw invalid("upstream.hosts", `must be from 1 to ${MOST_HOSTS} hosts`);
  }
  checkAll(
    ...hostsOf(upstream).map((each, index) => () => checkHost(hosts ? `upstream.hosts[${index}]` : "upstream", each)),
  );
  const seen = new Set((hosts ?? []).map((each) => `${each.host}:${each.port}`));
  if (hosts && seen.size < hosts.length) throw invalid("upstream.hosts", "must not name a host and port twice");
}

function checkHost(field: string, { host, port }: Host): void {
  checkAll(
    () => checkAddress(`${field}.host`, host),
    () => checkPort(`${field}.port`, port),
  );
}

function checkAddress(field: string, host: string): void {
  if (HOST.test(host) || IPV6.test(host)) return;
  throw invalid(field, "must be a host name or an IP address, without a port");
}

function checkPort(field: string, port: number): void {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid(field, "must be from 1 to 65535");
}

/** The message never repeats what was given: it may be the secret itself. */
function checkReference(field: string, reference: string): void {
  if (/^env:[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(reference)) return;
  if (/^file:\/[^\p{Cc}]{1,4000}$/u.test(reference)) return;
  throw invalid(
    field,
    "must be a reference that the enforcer resolves, env:NAME or file:/absolute/path, never the secret itself; " +
      "if a real secret was sent here, change it",
  );
}
