import { checkName, checkText, invalid } from "./checks.js";
import { declaredDecider } from "./declared.js";

export interface ResourceDefinition {
  readonly name: string;
  readonly protocol: string;
  /** The enforcers that serve it. */
  readonly group: string;
  readonly upstream: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly tls: "disable" | "require" | "verify-full";
    readonly ca: string;
  };
  readonly credential: { readonly username: string; readonly password: string };
  readonly reads: "os" | "disk";
}

export const resourceDecider = declaredDecider("Resource", checkResource);

const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;
const IPV6 = /^(?=(?:[^:]*:){2})[0-9A-Fa-f:.]{2,45}$/;

function checkResource({ name, group, upstream, credential }: ResourceDefinition): void {
  checkName("name", name);
  checkName("group", group);
  if (!HOST.test(upstream.host) && !IPV6.test(upstream.host)) {
    throw invalid("upstream.host", "must be a host name or an IP address, without a port");
  }
  if (!Number.isInteger(upstream.port) || upstream.port < 1 || upstream.port > 65535) {
    throw invalid("upstream.port", "must be from 1 to 65535");
  }
  checkText("upstream.database", upstream.database, { least: 0, most: 255 });
  if (upstream.ca !== "" && !/^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/.test(upstream.ca)) {
    throw invalid("upstream.ca", "must be certificates in PEM, or empty for the system's roots");
  }
  checkText("credential.username", credential.username, { least: 1, most: 255 });
  checkReference("credential.password", credential.password);
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
