import { DiskOrder } from "./disk-order.js";

describe("what the disk must have first", () => {
  test("a write that lasts by itself: its record; a read: nothing", () => {
    const order = new DiskOrder();
    expect(order.first(1, true, false)).toBe(1);
    expect(order.first(2, false, false)).toBe(0);
  });

  test("what lets the writes of a transaction last: the last of their records, whatever it needs itself", () => {
    const order = new DiskOrder();
    expect(order.first(1, true, true)).toBe(0);
    expect(order.first(2, true, true)).toBe(0);
    expect(order.first(3, false, true)).toBe(0);
    expect(order.first(4, false, false)).toBe(2);
    expect(order.first(5, false, false)).toBe(0);
  });

  test("a write behind them that lasts by itself: its own record, and so all before", () => {
    const order = new DiskOrder();
    expect(order.first(1, true, true)).toBe(0);
    expect(order.first(2, true, false)).toBe(2);
    expect(order.first(3, false, false)).toBe(0);
  });
});
