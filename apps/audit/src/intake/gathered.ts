/**
 * What comes, in the batches in which it comes: whatever is there when the next batch is asked for, one item at least and
 * about `most` by `sizeOf` at most.
 */
export async function* gathered<T>(
  source: AsyncIterable<T>,
  sizeOf: (item: T) => number,
  most: number,
): AsyncGenerator<readonly T[], void, undefined> {
  const items = source[Symbol.asyncIterator]();
  const ask = () => {
    const asked = items.next();
    // It may fail while nobody looks; whoever looks next hears of it.
    asked.catch(() => {});
    return asked;
  };
  for (let next = ask(); ; ) {
    const batch: T[] = [];
    let size = 0;
    let item: IteratorResult<T> | null = await next;
    const turn = new Promise<null>((resolve) => setImmediate(resolve, null));
    while (item && !item.done) {
      batch.push(item.value);
      size += sizeOf(item.value);
      next = ask();
      item = size < most ? await Promise.race([next, turn]) : null;
    }
    if (batch.length > 0) yield batch;
    if (item?.done) return;
  }
}
