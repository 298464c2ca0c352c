import type { DemoIdentity } from "./issuer.js";

/** Who the demo's CI system vouches for, by the name the CLI knows them under (`--as ci`). */
export function demoIdentities(secret: string): Readonly<Record<string, DemoIdentity>> {
  return {
    ci: { clientId: "ci-deploy", clientSecret: secret, groups: ["ci"], run: "build-1842" },
    analyst: { clientId: "reporting-agent", clientSecret: secret, groups: ["analysts"], run: "report-7" },
  };
}
