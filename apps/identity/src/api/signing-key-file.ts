import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BusFailure } from "#bus";

/** The public half of the policy service's key, which an enforcer is given so that it believes no other. */
export class SigningKeyFile {
  private readonly path: string;

  constructor(keys: string) {
    this.path = join(keys, "signing.pub.pem");
  }

  /** SPKI, PEM. @throws BusFailure `unavailable` */
  read(): string {
    if (existsSync(this.path)) return readFileSync(this.path, "utf8");
    throw new BusFailure("unavailable", `there is no ${this.path} yet: the policy service writes it when it starts`);
  }
}
