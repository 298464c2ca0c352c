/**
 * Arrays as PostgreSQL's drivers send them in binary (array_recv in arrayfuncs.c): nothing is escaped here and parsed
 * there, which for JSON, half quotes, costs more than the insert itself. Give them as parameters: node-postgres sends a
 * Buffer as binary. Columns of other types are cast in SQL from their texts.
 */
const TEXT = 25;
const BYTEA = 17;
const HEADER_BYTES = 20;
const NULL = -1;

export function textArray(values: readonly (string | null)[]): Buffer {
  const lengths = values.map((value) => (value === null ? NULL : Buffer.byteLength(value)));
  const { array, places } = layOut(TEXT, lengths);
  values.forEach((value, n) => {
    if (value !== null) array.write(value, places[n]!);
  });
  return array;
}

export function bytesArray(values: readonly Buffer[]): Buffer {
  const { array, places } = layOut(
    BYTEA,
    values.map(({ length }) => length),
  );
  values.forEach((value, n) => {
    value.copy(array, places[n]!);
  });
  return array;
}

function layOut(type: number, lengths: readonly number[]): { readonly array: Buffer; readonly places: number[] } {
  const size = lengths.reduce((sum, length) => sum + 4 + Math.max(length, 0), HEADER_BYTES);
  const array = Buffer.allocUnsafe(size);
  const nulls = lengths.includes(NULL) ? 1 : 0;
  const [dimensions, lowerBound] = [1, 1];
  let at = 0;
  for (const field of [dimensions, nulls, type, lengths.length, lowerBound]) at = array.writeInt32BE(field, at);
  const places: number[] = [];
  for (const length of lengths) {
    at = array.writeInt32BE(length, at);
    places.push(at);
    at += Math.max(length, 0);
  }
  return { array, places };
}
