import { create } from "@bufbuild/protobuf";
import { policyV1 } from "#contracts";
import { Integer, isName, Name, Text } from "../http/fields.js";
import { given, type Kind } from "./kind.js";

const CEDAR = 'permit (principal in Group::"ci", action in Action::"sql:read", resource == Resource::"shop");';

class PolicyBody {
  @Text({ description: "What it is for, for people.", optional: true, example: "CI may read the shop" })
  description = "";
  @Text({ description: "Cedar policies. Checked against the schema.", min: 1, max: 262_144, example: CEDAR })
  text!: string;
}

class DeclaredPolicy extends PolicyBody {
  @Name({ description: "Its name.", example: "ci-reads" })
  name!: string;
}

class Policy extends DeclaredPolicy {
  @Integer({ description: "Rises with every change; the ETag.", example: 3 })
  version!: number;
}

const { putPolicy, checkPolicy, getPolicy, listPolicies, deletePolicy } = policyV1.Policy.method;

export const policies: Kind = {
  one: "policy",
  many: "policies",
  summary: "Cedar text deciding actions of principals on resources and labels",
  schema: policyV1.PolicyDocumentSchema,
  body: PolicyBody,
  declared: DeclaredPolicy,
  view: Policy,
  example: { description: "CI may read the shop", text: CEDAR },
  isName,
  async list(bus, page, call) {
    const { policies, next } = await bus.call(listPolicies, create(policyV1.ListPoliciesRequestSchema, { page }), call);
    return { items: policies, next };
  },
  get: (bus, name, call) => bus.call(getPolicy, create(policyV1.GetPolicyRequestSchema, { name }), call),
  put: (bus, policy, precondition, call) =>
    bus.call(
      putPolicy,
      create(policyV1.PutPolicyRequestSchema, { policy: policy as policyV1.PolicyDocument, ...given(precondition) }),
      call,
    ),
  async check(bus, policy, call) {
    await bus.call(
      checkPolicy,
      create(policyV1.CheckPolicyRequestSchema, { policy: policy as policyV1.PolicyDocument }),
      call,
    );
  },
  async remove(bus, name, precondition, call) {
    await bus.call(deletePolicy, create(policyV1.DeletePolicyRequestSchema, { name, ...given(precondition) }), call);
  },
};
