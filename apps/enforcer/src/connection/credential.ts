import { readFileSync } from "node:fs";

/** The credential a resource names is not here. The message names the reference, never what it holds. */
export class CredentialMissing extends Error {
  override readonly name = "CredentialMissing";
}

/** The secret behind `env:NAME` or `file:/path` (without its last line break), read anew each time. @throws CredentialMissing */
export function resolveCredential(reference: string): string {
  const [, kind, target] = /^(env|file):(.+)$/s.exec(reference) ?? [];
  if (kind === "env") {
    const value = process.env[target!];
    if (value === undefined) throw new CredentialMissing(`the enforcer's environment has no ${target}`);
    return value;
  }
  if (kind === "file") {
    try {
      return readFileSync(target!, "utf8").replace(/\r?\n$/, "");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new CredentialMissing(`the enforcer cannot read the credential file ${target} (${code})`, { cause: error });
    }
  }
  throw new CredentialMissing("the resource's credential must be `env:NAME` or `file:/path`");
}
