import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Catch, type RpcExceptionFilter, UseFilters } from "@nestjs/common";
import { Ctx, MessagePattern, Payload } from "@nestjs/microservices";
import { throwError } from "rxjs";
import { type CallContext, edgeSubject, rpcSubject } from "#contracts";

/** Who asks. `enforcerId` is set, and is proven by the bus, for edge methods only. */
export interface BusCall {
  readonly context: CallContext;
  readonly enforcerId: string | null;
}

/** What BusServer needs to know of a handler. */
export interface Endpoint {
  readonly method: DescMethodUnary;
  readonly edge: boolean;
}

type Handler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: BusCall,
) => Promise<MessageInitShape<O>>;
type HandlerDecorator<I extends DescMessage, O extends DescMessage> = <F extends Handler<I, O>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<F>,
) => void;

/** The method of a controller that answers `method`: `(request, call) => response`. */
export const Rpc = <I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>) =>
  answers<I, O>(rpcSubject(method), { method, edge: false });

/** The same for what enforcers ask: `call.enforcerId` says which. */
export const EdgeRpc = <I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>) =>
  answers<I, O>(edgeSubject(method, "*"), { method, edge: true });

function answers<I extends DescMessage, O extends DescMessage>(
  subject: string,
  endpoint: Endpoint,
): HandlerDecorator<I, O> {
  return (target, key, descriptor) => {
    Payload()(target, key, 0);
    Ctx()(target, key, 1);
    UseFilters(PassOn)(target, key, descriptor);
    MessagePattern(subject, endpoint)(target, key, descriptor);
  };
}

/** Leaves errors as they are: BusServer makes failures of them. */
@Catch()
class PassOn implements RpcExceptionFilter {
  catch(error: unknown) {
    return throwError(() => error);
  }
}
