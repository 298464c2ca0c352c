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

  test("the last write of a transaction like the one before goes ahead, once", () => {
    const order = new DiskOrder();
    const write = (sequence: number) => {
      order.first(sequence, true, true);
      return order.ahead();
    };
    expect([write(1), write(2)]).toEqual([0, 0]);
    order.first(3, false, false);
    expect([write(4), write(5), order.ahead()]).toEqual([0, 5, 0]);
    expect(order.first(6, false, false)).toBe(5);
    expect([write(7), write(8), write(9)]).toEqual([0, 8, 0]);
    expect(order.first(10, false, false)).toBe(9);
    expect([write(11), write(12), write(13)]).toEqual([0, 0, 13]);
  });

  test("what is outside of transactions changes nothing of that; nothing goes ahead once it is waited for", () => {
    const order = new DiskOrder();
    order.first(1, true, true);
    order.first(2, false, false);
    order.first(3, false, false);
    order.first(4, true, false);
    order.first(5, true, true);
    expect(order.ahead()).toBe(5);
    order.first(6, false, false);
    order.first(7, true, true);
    expect(order.first(8, false, false)).toBe(7);
    expect(order.ahead()).toBe(0);
  });
});
