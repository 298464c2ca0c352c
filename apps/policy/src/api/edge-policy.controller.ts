import { Controller, Inject } from "@nestjs/common";
import { Bus } from "#bus";
import { type BusCall, EdgeRpc } from "#bus/nest";
import { edgeV1, identityV1 } from "#contracts";
import { Refused } from "#event-store";
import { BundleMaker } from "../bundles/bundle-maker.js";

/** `edge.v1.EdgePolicy` on the bus: what enforcers ask. */
@Controller()
export class EdgePolicyController {
  constructor(
    @Inject(Bus) private readonly bus: Bus,
    @Inject(BundleMaker) private readonly maker: BundleMaker,
  ) {}

  @EdgeRpc(edgeV1.EdgePolicy.method.getBundle)
  async getBundle({ haveEpoch }: edgeV1.GetBundleRequest, call: BusCall) {
    const group = await this.#groupOf(call);
    const { bundle, signed } = await this.maker.current(group);
    return {
      beat: this.maker.beat(group, bundle.epoch),
      ...(BigInt(bundle.epoch) > haveEpoch && { bundle: signed }),
    };
  }

  async #groupOf({ enforcerId, context }: BusCall): Promise<string> {
    const enforcer = await this.bus.call(identityV1.Identity.method.getEnforcer, { id: enforcerId! }, context);
    if (enforcer.removed) throw new Refused("gone", `the enforcer ${enforcerId} has been removed`);
    return enforcer.group;
  }
}
