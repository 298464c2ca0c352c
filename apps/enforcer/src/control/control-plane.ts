import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { edgeV1 } from "#contracts";

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
  publish(batch: edgeV1.RecordBatch): Promise<void>;
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
