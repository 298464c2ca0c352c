import type { ByteReader, FrameAssembler } from "#bytes";
import { NOTHING_MASKED } from "#commands";
import type { RunningCommand } from "../commands.js";
import { decodeCopyResponse, decodeRowDescription } from "../decoder.js";
import { copyMasker } from "../rewrite/copy.js";
import { type Masks, masksFor, planOf } from "../rewrite/masks.js";
import { maskFunctionResult, type RowMasker } from "../rewrite/rows.js";
import { type Answer, type CallAnswer, type FlowingAnswer, flowing, type QueryAnswer, unexpected } from "./answers.js";
import { portalMasks } from "./statements.js";
import type { WayOut } from "./way-out.js";

/** Binary COPY ends with two bytes that are no row. */
const COPY_TRAILER = 7;

/**
 * What commands show: rows, COPY data and the results of functions, each masked by what was said of it before, counted,
 * and held back past its command's limit. Like `WayOut`'s, each function is the last that is called for the message at
 * hand; false where the rest of that is missing.
 */
export class DataOut {
  readonly #frames: FrameAssembler;
  readonly #out: WayOut;
  readonly #messageLimit: number;

  /** @param messageLimit bytes of a COPY row that can be masked */
  constructor(frames: FrameAssembler, out: WayOut, messageLimit: number) {
    this.#frames = frames;
    this.#out = out;
    this.#messageLimit = messageLimit;
  }

  // ---- rows --------------------------------------------------------------------------------------------------------

  /** The description of a simple query's rows, which follow. */
  described(frame: ByteReader, head: QueryAnswer): boolean {
    const { plan, statement } = head.command;
    if (plan !== NOTHING_MASKED) head.masks = masksFor(planOf(plan, statement), decodeRowDescription(frame));
    return this.#out.pass();
  }

  row(head: Answer | undefined): boolean {
    if (!flowing(head)) throw unexpected("DataRow");
    const { command } = head;
    if (command.full) return this.#strike(command);
    const masks = command.plan === NOTHING_MASKED ? null : rowMasks(head);
    if (masks === null) {
      command.row(this.#frames.size, 0);
      return this.#out.passStreamed();
    }
    return this.#maskedRow(masks, command);
  }

  #maskedRow(masker: RowMasker, command: RunningCommand): boolean {
    const frames = this.#frames;
    const out = this.#out;
    const { inOnePiece, size } = frames;
    const before = masker.masked;
    if (inOnePiece) {
      const { chunk, at } = frames;
      if (!masker.mask(chunk, at, at + size, out.anew)) frames.drop();
      else if (out.empty) frames.pass();
      else {
        out.anew().slice(chunk, at, at + size);
        frames.drop();
      }
    } else {
      const gathered = frames.whole();
      if (!gathered) return false;
      const inPlace = masker.mask(gathered, 0, size, out.anew);
      frames.drop();
      // Apart, so that what lies in one piece behind it can pass.
      if (inPlace) out.emit({ kind: "forward", bytes: gathered });
    }
    command.row(size, masker.masked - before);
    return true;
  }

  // ---- COPY data ---------------------------------------------------------------------------------------------------

  copyOut(frame: ByteReader, head: Answer | undefined): boolean {
    if (!flowing(head)) throw unexpected("CopyResponse");
    const plan = planOf(head.command.plan, head.command.statement);
    const format = plan.bulkFormat ?? { kind: "text" };
    const masker = plan.bulk && copyMasker(decodeCopyResponse(frame), format, plan.bulk, this.#messageLimit);
    head.copy = { direction: "out", masker };
    return this.#out.pass();
  }

  copyData(head: Answer | undefined): boolean {
    if (!flowing(head) || head.copy?.direction !== "out") throw unexpected("CopyData");
    const { command } = head;
    const { masker } = head.copy;
    command.bulk = true;
    if (command.full && this.#frames.size > COPY_TRAILER) return this.#strike(command);
    if (!masker) {
      command.row(this.#frames.size, 0);
      return this.#out.passStreamed();
    }
    const { inOnePiece, chunk, at, size } = this.#frames;
    const gathered = inOnePiece ? null : this.#frames.whole();
    if (!inOnePiece && !gathered) return false;
    const anew = this.#out.anew();
    const before = masker.masked;
    if (gathered) masker.push(gathered, 5, size, anew);
    else masker.push(chunk, at + 5, at + size, anew);
    command.row(size, masker.masked - before);
    return this.#out.swallow();
  }

  copyDone(head: Answer | undefined): boolean {
    if (!flowing(head) || head.copy?.direction !== "out") throw unexpected("CopyDone");
    head.copy.masker?.end();
    return this.#out.pass();
  }

  // ---- results of functions ----------------------------------------------------------------------------------------

  /** All of it is here. */
  functionResult({ command, format }: CallAnswer): boolean {
    const described = [{ name: "", tableOid: 0, attribute: 0, type: { oid: 0, format } }];
    const hide = command.plan === NOTHING_MASKED ? null : masksFor(command.plan, described)?.hides[0];
    if (!hide) {
      command.row(this.#frames.size, 0);
      return this.#out.pass();
    }
    const frame = this.#frames.whole() as Uint8Array;
    command.row(this.#frames.size, maskFunctionResult(frame, hide, this.#out.anew()));
    return this.#out.swallow();
  }

  // ---- limits ------------------------------------------------------------------------------------------------------

  /** A row past the limit: neither it nor any other is shown, and the server is asked to stop. */
  #strike(command: RunningCommand): boolean {
    if (!command.struck) {
      command.struck = true;
      this.#out.emit({ kind: "stop" });
    }
    return this.#out.swallow();
  }
}

/** The masks of the rows that flow now. @throws MalformedBytes for rows nobody has described. */
function rowMasks(head: FlowingAnswer): Masks {
  if (head.kind === "query") {
    if (head.masks === undefined) throw unexpected("a row without a description");
    return head.masks;
  }
  const { portal } = head;
  if (portal.masks === undefined) {
    const masks = portalMasks(portal);
    if (masks === undefined) throw unexpected("a row without a description");
    portal.masks = masks;
  }
  return portal.masks;
}
