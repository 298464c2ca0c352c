import { type TransformDefinition, unknownOption } from "../transform.js";
import { always } from "../whole.js";

/**
 * The same given value for every one. A column whose type cannot hold it gets the type's neutral value.
 * Options: `value` (up to 1000 characters; for other types than text a literal such as `0.00`, `true`, `1970-01-01`).
 */
export const fixed: TransformDefinition = {
  whole: true,
  check(options) {
    const unknown = unknownOption(options, ["value"]);
    if (unknown) return unknown;
    const { value } = options;
    if (value === undefined) return "needs `value`, what to show instead";
    if (value.length > 1000) return "allows at most 1000 characters in `value`";
    if (value.includes("\0") || Buffer.from(value, "utf8").toString("utf8") !== value) {
      return "allows only characters in `value` that a database text can hold";
    }
    return null;
  },
  hide({ options, type, format, whole }) {
    if (type.family === "padded") return whole;
    const encoded = type.encode?.(options.value!);
    if (!encoded || encoded.text.length > (type.maxBytes ?? Number.POSITIVE_INFINITY)) return whole;
    return always(encoded[format]);
  },
};
