export { createDecider, type Decidable, type Decider } from "./decider.js";
export type { PolicyProblem } from "./document.js";
export { CEDAR_SCHEMA, CONNECT, isAction, REVEAL } from "./schema.js";
export { validatePolicies } from "./validate.js";
