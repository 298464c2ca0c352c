import { checkName, checkText } from "./checks.js";
import { declaredDecider } from "./declared.js";

export interface PolicyDefinition {
  readonly name: string;
  readonly description: string;
  /** Cedar policies. */
  readonly text: string;
}

export const policyDecider = declaredDecider("Policy", ({ name, description }: PolicyDefinition) => {
  checkName("name", name);
  checkText("description", description, { least: 0, most: 1_000 });
});
