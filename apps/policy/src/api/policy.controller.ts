import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, Rpc } from "#bus/nest";
import { type modelV1, policyV1 } from "#contracts";
import { pageOf } from "#event-store-postgres";
import { Declaring } from "../handlers/declaring.js";
import { DeleteDeclared } from "../handlers/delete-declared.js";
import { PutDeclared } from "../handlers/put-declared.js";
import { Declarations, type Definitions, type Kind, type Stored } from "../projections/declarations.js";
import { Simulation } from "../simulation/simulation.js";
import { labelIn, labelOut, policyIn, policyOut, principalIn, resourceIn, resourceOut, versionOf } from "./messages.js";

const { method } = policyV1.Policy;

/** `policy.v1.Policy` on the bus. */
@Controller()
export class PolicyController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Declaring) private readonly declaring: Declaring,
    @Inject(Declarations) private readonly declarations: Declarations,
    @Inject(Simulation) private readonly simulation: Simulation,
  ) {}

  @Rpc(method.putResource)
  async putResource({ resource, precondition }: policyV1.PutResourceRequest, call: BusCall) {
    return resourceOut(await this.#put("resource", resourceIn(resource), precondition, call));
  }

  @Rpc(method.checkResource)
  async checkResource({ resource }: policyV1.CheckResourceRequest, _call: BusCall) {
    this.declaring.check("resource", resourceIn(resource));
    return {};
  }

  @Rpc(method.getResource)
  async getResource({ name }: policyV1.GetResourceRequest, _call: BusCall) {
    return resourceOut(await this.declarations.get("resource", name));
  }

  @Rpc(method.listResources)
  async listResources({ page }: policyV1.ListResourcesRequest, _call: BusCall) {
    const { items, next } = await this.declarations.list("resource", pageOf(page));
    return { resources: items.map(resourceOut), next };
  }

  @Rpc(method.deleteResource)
  deleteResource(request: policyV1.DeleteResourceRequest, call: BusCall) {
    return this.#delete("resource", request, call);
  }

  @Rpc(method.putLabel)
  async putLabel({ label, precondition }: policyV1.PutLabelRequest, call: BusCall) {
    return labelOut(await this.#put("label", labelIn(label), precondition, call));
  }

  @Rpc(method.checkLabel)
  async checkLabel({ label }: policyV1.CheckLabelRequest, _call: BusCall) {
    this.declaring.check("label", labelIn(label));
    return {};
  }

  @Rpc(method.getLabel)
  async getLabel({ name }: policyV1.GetLabelRequest, _call: BusCall) {
    return labelOut(await this.declarations.get("label", name));
  }

  @Rpc(method.listLabels)
  async listLabels({ page }: policyV1.ListLabelsRequest, _call: BusCall) {
    const { items, next } = await this.declarations.list("label", pageOf(page));
    return { labels: items.map(labelOut), next };
  }

  @Rpc(method.deleteLabel)
  deleteLabel(request: policyV1.DeleteLabelRequest, call: BusCall) {
    return this.#delete("label", request, call);
  }

  @Rpc(method.putPolicy)
  async putPolicy({ policy, precondition }: policyV1.PutPolicyRequest, call: BusCall) {
    return policyOut(await this.#put("policy", policyIn(policy), precondition, call));
  }

  @Rpc(method.checkPolicy)
  async checkPolicy({ policy }: policyV1.CheckPolicyRequest, _call: BusCall) {
    this.declaring.check("policy", policyIn(policy));
    return {};
  }

  @Rpc(method.getPolicy)
  async getPolicy({ name }: policyV1.GetPolicyRequest, _call: BusCall) {
    return policyOut(await this.declarations.get("policy", name));
  }

  @Rpc(method.listPolicies)
  async listPolicies({ page }: policyV1.ListPoliciesRequest, _call: BusCall) {
    const { items, next } = await this.declarations.list("policy", pageOf(page));
    return { policies: items.map(policyOut), next };
  }

  @Rpc(method.deletePolicy)
  deletePolicy(request: policyV1.DeletePolicyRequest, call: BusCall) {
    return this.#delete("policy", request, call);
  }

  @Rpc(method.simulate)
  simulate({ principal, resource, statement }: policyV1.SimulateRequest, _call: BusCall) {
    return this.simulation.simulate(principalIn(principal), resource, statement);
  }

  @Rpc(method.authorizeConnect)
  authorizeConnect({ principal, resource }: policyV1.AuthorizeConnectRequest, _call: BusCall) {
    return this.simulation.authorizeConnect(principalIn(principal), resource);
  }

  #put<K extends Kind>(
    kind: K,
    definition: Definitions[K],
    precondition: modelV1.Precondition | undefined,
    call: BusCall,
  ): Promise<Stored<K>> {
    return this.commands.execute(new PutDeclared(kind, definition, versionOf(precondition), call.context));
  }

  async #delete(
    kind: Kind,
    { name, precondition }: { name: string; precondition?: modelV1.Precondition | undefined },
    call: BusCall,
  ) {
    await this.commands.execute(new DeleteDeclared(kind, name, versionOf(precondition), call.context));
    return {};
  }
}
