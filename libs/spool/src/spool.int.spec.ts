import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { segmentName } from "./folder.js";
import { Spool, SpoolFull, SpoolUnwritable } from "./index.js";
import { Audit, everything, inFolder, record, records, write } from "./spool.fixture.js";

const { root, folder, open, files, newest } = inFolder();

describe("writing and reading", () => {
  it("numbers records from 1 and gives them back in order, over segments", async () => {
    const spool = open({ segmentBytes: 300 });
    const expected: string[] = [];
    for (let n = 1; n <= 100; n++) {
      expect(spool.append(record(n))).toBe(n);
      expected.push(record(n).toString());
      if (n % 7 === 0) await spool.durable(n, "disk");
    }
    await spool.durable(100, "disk");
    expect(files().length).toBeGreaterThan(5);
    expect(await everything(spool.backlog)).toEqual(expected);
  });

  it("has 'os' records in the file on return, and reads only what is on disk", async () => {
    const spool = open({ syncWithinMs: 600_000 });
    expect(spool.durable(spool.append(Buffer.from("now-written")), "os")).toBeUndefined();
    expect(readFileSync(newest(), "latin1")).toContain("now-written");
    expect(await spool.backlog.read(0)).toEqual([]);
    await spool.durable(1, "disk");
    expect(await spool.backlog.read(0)).toHaveLength(1);
  });

  it("syncs 'os' records by itself, and tells the reader", async () => {
    const spool = open({ syncWithinMs: 5 });
    const readable = new Promise<void>((wake) => spool.onReadable(wake));
    spool.append(record(1));
    await readable;
    expect(await everything(spool.backlog)).toHaveLength(1);
  });

  it("syncs what is written while it syncs, though nobody waits and nothing follows", async () => {
    const spool = open({ syncWithinMs: 0 });
    const synced = spool.durable(spool.append(record(1)), "disk");
    spool.durable(spool.append(record(2)), "os");
    // So the second's time comes before the end of the first's sync is seen.
    for (const until = Date.now() + 20; Date.now() < until; );
    await synced;
    while ((await spool.backlog.read(1)).length === 0) await sleep(5);
  });

  it("settles all who wait for the disk", async () => {
    const spool = open();
    const waits = Array.from({ length: 200 }, (_, n) => spool.durable(spool.append(record(n)), "disk"));
    await Promise.all(waits);
    expect(await everything(spool.backlog)).toHaveLength(200);
  });

  it("has what was left first after a restart, under its source, then its own", async () => {
    const first = open();
    await write(first, 1, 2);
    await first.close();
    const second = open();
    expect(second).toMatchObject({ damage: [], replaced: [{ source: first.source, lost: 0 }], unacknowledged: 2 });
    expect(second.source).not.toBe(first.source);
    expect(second.append(record(3))).toBe(1);
    await second.durable(1, "disk");
    expect(second.backlog.source).toBe(first.source);
    expect(await everything(second.backlog)).toEqual(records(1, 2));
    second.acknowledge(second.source, 1);
    expect(second.unacknowledged).toBe(3);
    second.acknowledge(first.source, 1);
    expect(second.unacknowledged).toBe(2);
    second.acknowledge(first.source, 2);
    expect(second.backlog.source).toBe(second.source);
    expect(await everything(second.backlog)).toEqual(records(3, 3));
  });

  it("keeps large and empty records", async () => {
    const spool = open({ segmentBytes: 1000 });
    const large = Buffer.alloc(200_000, 7);
    for (const payload of [Buffer.alloc(0), large, Buffer.alloc(0)]) spool.append(payload);
    await spool.durable(spool.last, "disk");
    const read = [...(await spool.backlog.read(0)), ...(await spool.backlog.read(1)), ...(await spool.backlog.read(2))];
    expect(read.find(({ sequence }) => sequence === 2)!.payload).toEqual(large);
    expect(await everything(spool.backlog)).toHaveLength(3);
  });

  it("is readable by its owner only", async () => {
    await write(open(), 1);
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
    expect(statSync(newest()).mode & 0o777).toBe(0o600);
  });
});

describe("space", () => {
  it("frees whole segments on acknowledgement only, and remembers it", async () => {
    const spool = open({ segmentBytes: 300 });
    for (let n = 1; n <= 50; n++) await spool.durable(spool.append(record(n)), "disk");
    const before = files();
    spool.acknowledge(spool.source, 25);
    expect(files().length).toBeLessThan(before.length);
    expect((await everything(spool.backlog, 25))[0]).toContain("record 26 ");
    await spool.close();
    const { backlog } = open({ segmentBytes: 300 });
    expect([backlog.source, backlog.acknowledged, backlog.last]).toEqual([spool.source, 25, 50]);
  });

  it("is nearly full, then full; ends and decisions still pass; then nothing; freed, all is well", async () => {
    const spool = open({ limitBytes: 10_000, segmentBytes: 1000 });
    const fill = async (essential: boolean) => {
      for (;;) await spool.durable(spool.append(record(1, 100), essential), "disk");
    };
    expect(spool.state).toBe("ok");
    while (spool.state === "ok") await spool.durable(spool.append(record(1, 100)), "disk");
    expect(spool.state).toBe("nearly-full");
    await expect(fill(false)).rejects.toBeInstanceOf(SpoolFull);
    const before = spool.last;
    await expect(fill(true)).rejects.toBeInstanceOf(SpoolFull);
    expect(spool.state).toBe("full");
    expect(spool.last).toBeGreaterThan(before);
    spool.acknowledge(spool.source, spool.last);
    expect(spool.state).toBe("ok");
    await spool.durable(spool.append(record(2)), "disk");
  });

  it("does without what the opening before left, once that is acknowledged, though the limit is smaller now", async () => {
    const before = open();
    await before.durable(before.append(record(1, 9000)), "disk");
    await before.close();
    const spool = open({ limitBytes: 8000 });
    expect(spool.state).toBe("full");
    expect(() => spool.append(record(2), true)).toThrow(SpoolFull);
    spool.acknowledge(before.source, 1);
    expect(spool.state).toBe("ok");
    expect(files()).toEqual([]);
    await write(spool, 2);
  });
});

describe("a disk that takes nothing", () => {
  /** In the place of a file that is to be written. */
  const full = (name: string) => symlinkSync("/dev/full", join(folder(), name));

  it("fails closed where a segment is begun, keeps what is there readable, and goes on when there is space", async () => {
    const spool = open({ segmentBytes: 300 });
    for (const first of [1, 4]) {
      const name = segmentName(1, spool.source, first);
      full(name);
      const fill = () => {
        for (;;) spool.durable(spool.append(record(spool.last + 1, 100)), "os");
      };
      expect(fill).toThrow(SpoolUnwritable);
      expect(spool.state).toBe("failed");
      expect(String(spool.failure)).toMatch(/the disk is full: free space on it \(ENOSPC\)/);
      expect(await everything(spool.backlog, 0)).toHaveLength(first - 1);
      rmSync(join(folder(), name));
      await spool.durable(spool.last, "disk");
      expect(spool.state).toBe("ok");
    }
    expect(await everything(spool.backlog)).toEqual(
      Array.from({ length: spool.last }, (_, n) => record(n + 1, 100).toString()),
    );
  });

  it("frees what is acknowledged, though it cannot be noted", async () => {
    const spool = open({ segmentBytes: 300 });
    for (let n = 1; n <= 50; n++) await write(spool, n);
    full("draft.acknowledged");
    spool.acknowledge(spool.source, 50);
    expect(files()).toHaveLength(1);
    await spool.close();
    expect(open().damage).toEqual([]);
  });

  // A small file system to fill takes root.
  (process.getuid?.() === 0 ? it : it.skip).each([
    ["many segments", 16_384],
    ["one", 8 << 20],
  ])("is begun on, shipped from and freed where it is full: of %s", async (_, segmentBytes) => {
    const mount = join(root(), "small");
    mkdirSync(mount);
    const made = spawnSync("sh", ["-c", `mount -t tmpfs -o size=256k none ${mount}`]);
    expect(String(made.stderr)).toBe("");
    const at = { folder: join(mount, "s"), segmentBytes };
    const spools = [Spool.open(at)];
    try {
      const fill = (spool: Spool) => {
        for (;;) spool.durable(spool.append(record(1, 4000)), "os");
      };
      expect(() => fill(spools[0]!)).toThrow(SpoolUnwritable);
      await spools[0]!.close().catch(() => {});
      // Not even what is free at the end of a file.
      expect(() => writeFileSync(join(mount, "else"), Buffer.alloc(1 << 20))).toThrow(/ENOSPC/);
      const spool = Spool.open(at);
      spools.push(spool);
      expect(() => fill(spool)).toThrow(/ENOSPC/);
      expect(spool.state).toBe("failed");
      const audit = new Audit();
      await audit.takeFrom(spool);
      expect(audit.taken.length).toBeGreaterThan(50);
      await spool.durable(spool.last, "disk");
      expect(spool.state).toBe("ok");
      await audit.takeFrom(spool);
      expect(spool.unacknowledged).toBe(0);
    } finally {
      for (const spool of spools) await spool.close().catch(() => {});
      spawnSync("sh", ["-c", `umount ${mount}`]);
    }
  });
});

describe("an audit service that was set back", () => {
  it("is given again what is still here, and told where that begins", async () => {
    const spool = open({ segmentBytes: 300 });
    await write(spool, 1, 30);
    spool.acknowledge(spool.source, 25);
    const { oldest } = spool.backlog;
    expect(oldest).toBeGreaterThan(1);
    expect(spool.goBack("another", 24)).toBe(false);
    expect(spool.goBack(spool.source, 25)).toBe(false);
    expect(spool.goBack(spool.source, 24)).toBe(true);
    expect(await everything(spool.backlog)).toEqual(records(25, 30));
    expect(spool.goBack(spool.source, 0)).toBe(true);
    expect(await everything(spool.backlog)).toEqual(records(oldest, 30));
    expect(spool.goBack(spool.source, 0)).toBe(false);
  });
});

describe("a folder that may not be written", () => {
  /** Root may write anywhere. */
  const asNobody = (act: () => void) => {
    const root = process.getuid?.() === 0;
    if (root) process.seteuid!(65_534);
    try {
      act();
    } finally {
      if (root) process.seteuid!(0);
    }
  };

  it("is refused with what to do", async () => {
    writeFileSync(join(root(), "file"), "");
    expect(() => Spool.open({ folder: join(root(), "file", "s") })).toThrow(SpoolUnwritable);
    chmodSync(root(), 0o555);
    asNobody(() => expect(() => open()).toThrow(/owner or mode \(EACCES\)/));
    chmodSync(root(), 0o755);
    const spool = open();
    await write(spool, 1);
    await spool.close();
    chmodSync(folder(), 0o555);
    asNobody(() => expect(() => open()).toThrow(/owner or mode \(EACCES\)/));
    chmodSync(folder(), 0o700);
  });

  it("does not matter of files that were left: they are read only", async () => {
    const before = open();
    await write(before, 1, 3);
    await before.close();
    for (const name of [...files(), "acknowledged.json"]) chmodSync(join(folder(), name), 0o444);
    chmodSync(root(), 0o755);
    chmodSync(folder(), 0o777);
    let spool!: Spool;
    asNobody(() => {
      spool = open();
      spool.durable(spool.append(record(4)), "os");
    });
    await spool.durable(1, "disk");
    const audit = new Audit();
    await audit.takeFrom(spool);
    expect(audit.taken).toEqual(records(1, 4));
    expect(files()).toHaveLength(1);
  });
});
