import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { EncodedBatch } from "#bus";

/** What an enforcer can ask of the control plane, whichever way it is reached. */
export interface ControlPlane {
  /**
   * @throws ControlPlaneAway when nobody answers in time: whether it was carried out is not known.
   * @throws ControlPlaneRefused when the service refuses.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>>;
  publish(batch: EncodedBatch): Promise<void>;
}

export class ControlPlaneAway extends Error {
  override readonly name = "ControlPlaneAway";
}

export class ControlPlaneRefused extends Error {
  override readonly name = "ControlPlaneRefused";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}
