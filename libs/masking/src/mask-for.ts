import type { Mask, TransformSpec } from "./mask.js";
import { TRANSFORMS } from "./registry.js";
import { redact } from "./transforms/redact.js";
import { typeOf } from "./types/catalog.js";
import { wholeOf } from "./whole.js";

/** Least bytes of a key for `hash`. */
export const HASH_KEY_BYTES = 16;

export interface MaskRequest {
  readonly transform: TransformSpec;
  readonly labels: readonly string[];
  /**
   * The output is the labelled column as it stands; an expression over it is hidden whole. Of `char(n)` it says that all
   * values are as long as the column: what an expression gives, or a `bpchar` without a length, is as long as the value.
   */
  readonly direct: boolean;
  /** For `hash`; the same key gives the same answers. */
  readonly hashKey: Uint8Array;
}

/** Whether a transform shows nothing of any value, whatever the value is: `partial` and `hash` do not. */
export const showsNothing = ({ kind }: TransformSpec): boolean => (TRANSFORMS.get(kind) ?? redact).whole;

/** What is wrong with a transform, as a sentence for who wrote it, or null. */
export function checkTransform(transform: TransformSpec): string | null {
  const definition = TRANSFORMS.get(transform.kind);
  if (!definition) {
    const kinds = [...TRANSFORMS.keys()].map((kind) => `\`${kind}\``).join(", ");
    return `there is no transform \`${transform.kind}\`: use one of ${kinds}`;
  }
  const problem = definition.check(transform.options);
  return problem && `transform \`${transform.kind}\` ${problem}`;
}

/**
 * What hides an output's values. A transform that does not pass `checkTransform` hides whole.
 *
 * @throws RangeError where `hash` comes with a key under HASH_KEY_BYTES.
 */
export function maskFor({ transform, labels, direct, hashKey }: MaskRequest): Mask {
  if (transform.kind === "hash" && hashKey.length < HASH_KEY_BYTES) {
    throw new RangeError(`the key of \`hash\` must have at least ${HASH_KEY_BYTES} bytes`);
  }
  const asked = checkTransform(transform) === null ? TRANSFORMS.get(transform.kind)! : redact;
  const definition = direct || asked.whole ? asked : redact;

  return {
    labels,
    hide({ oid, format }) {
      const type = typeOf(oid);
      const whole = wholeOf(type, format, direct);
      const hide = definition.hide({ options: transform.options, type, format, hashKey, whole });
      if (hide === whole) return whole;
      return (source, from, to, out) => {
        try {
          return hide(source, from, to, out);
        } catch {
          return whole(source, from, to, out);
        }
      };
    },
  };
}

/** One transform for a value that carries several labels: what either would hide stays hidden. */
export function combined(transforms: readonly TransformSpec[]): TransformSpec {
  const [first, ...others] = transforms;
  const nulled = transforms.find((transform) => transform.kind === "null");
  if (nulled) return nulled;
  return first && others.every((other) => sameTransform(first, other)) ? first : { kind: "redact", options: {} };
}

function sameTransform(a: TransformSpec, b: TransformSpec): boolean {
  const names = Object.keys(a.options);
  return (
    a.kind === b.kind &&
    names.length === Object.keys(b.options).length &&
    names.every((name) => a.options[name] === b.options[name])
  );
}
