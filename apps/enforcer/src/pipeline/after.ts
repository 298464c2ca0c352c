/** `next` with the value: at once where it is there, so that what needs no waiting never leaves the tick. */
export function after<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
