import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { crc32c } from "./crc32c.js";
import { Spool, SpoolFull, SpoolLocked, type SpoolOptions, SpoolUnwritable } from "./index.js";
import { encodeFrame } from "./segment.js";

let root: string;
let opened: Spool[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spool-"));
  opened = [];
});
afterEach(async () => {
  for (const spool of opened) await spool.close().catch(() => {});
  rmSync(root, { recursive: true, force: true });
});

const open = (options: Partial<SpoolOptions> = {}) => {
  const spool = Spool.open({ folder: join(root, "s"), ...options });
  opened.push(spool);
  return spool;
};
const record = (n: number, size = 20) => Buffer.from(`record ${n} `.padEnd(size, "."));
const files = () =>
  readdirSync(join(root, "s"))
    .filter((name) => name.endsWith(".seg"))
    .sort();
const newest = () => join(root, "s", files().at(-1)!);

async function everything(spool: Spool, after = spool.acknowledged): Promise<string[]> {
  const all: string[] = [];
  for (let at = after; ; ) {
    const frames = await spool.read(at, 500);
    if (frames.length === 0) return all;
    for (const { sequence, payload } of frames) {
      expect(sequence).toBe(++at);
      all.push(Buffer.from(payload).toString());
    }
  }
}

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
    expect(await everything(spool)).toEqual(expected);
  });

  it("has 'os' records in the file on return, and reads only what is on disk", async () => {
    const spool = open({ syncWithinMs: 600_000 });
    expect(spool.durable(spool.append(Buffer.from("now-written")), "os")).toBeUndefined();
    expect(readFileSync(newest(), "latin1")).toContain("now-written");
    expect(await spool.read(0)).toEqual([]);
    await spool.durable(1, "disk");
    expect(await spool.read(0)).toHaveLength(1);
  });

  it("syncs 'os' records by itself, and tells the reader", async () => {
    const spool = open({ syncWithinMs: 5 });
    const readable = new Promise<void>((wake) => spool.onReadable(wake));
    spool.append(record(1));
    await readable;
    expect(await everything(spool)).toHaveLength(1);
  });

  it("syncs what is written while it syncs, though nobody waits and nothing follows", async () => {
    const spool = open({ syncWithinMs: 0 });
    const synced = spool.durable(spool.append(record(1)), "disk");
    spool.durable(spool.append(record(2)), "os");
    // So the second's time comes before the end of the first's sync is seen.
    for (const until = Date.now() + 20; Date.now() < until; );
    await synced;
    while ((await spool.read(1)).length === 0) await sleep(5);
  });

  it("settles all who wait for the disk", async () => {
    const spool = open();
    const waits = Array.from({ length: 200 }, (_, n) => spool.durable(spool.append(record(n)), "disk"));
    await Promise.all(waits);
    expect(await everything(spool)).toHaveLength(200);
  });

  it("goes on where it was after a restart, with the same source", async () => {
    const first = open();
    for (const n of [1, 2]) first.append(record(n));
    await first.close();
    const second = open();
    expect(second.source).toBe(first.source);
    expect(second.append(record(3))).toBe(3);
    await second.durable(3, "disk");
    expect(await everything(second)).toHaveLength(3);
    expect(second.damage).toBeNull();
  });

  it("keeps large and empty records", async () => {
    const spool = open({ segmentBytes: 1000 });
    const large = Buffer.alloc(200_000, 7);
    for (const payload of [Buffer.alloc(0), large, Buffer.alloc(0)]) spool.append(payload);
    await spool.durable(spool.last, "disk");
    const read = [...(await spool.read(0)), ...(await spool.read(1)), ...(await spool.read(2))];
    expect(read.find(({ sequence }) => sequence === 2)!.payload).toEqual(large);
    expect(await everything(spool)).toHaveLength(3);
  });

  it("is readable by its owner only", () => {
    open();
    expect(statSync(join(root, "s")).mode & 0o777).toBe(0o700);
    expect(statSync(newest()).mode & 0o777).toBe(0o600);
  });
});

describe("space", () => {
  it("frees whole segments on acknowledgement only, and remembers it", async () => {
    const spool = open({ segmentBytes: 300 });
    for (let n = 1; n <= 50; n++) await spool.durable(spool.append(record(n)), "disk");
    const before = files();
    spool.acknowledge(25);
    expect(files().length).toBeLessThan(before.length);
    expect((await everything(spool, 25))[0]).toContain("record 26 ");
    await spool.close();
    expect(open({ segmentBytes: 300 }).acknowledged).toBe(25);
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
    spool.acknowledge(spool.last);
    expect(spool.state).toBe("ok");
    await spool.durable(spool.append(record(2)), "disk");
  });

  // A small file system to fill takes root.
  (process.getuid?.() === 0 ? it : it.skip)(
    "fails closed on a full disk, and recovers when there is space",
    async () => {
      const mount = join(root, "small");
      const made = spawnSync("sh", ["-c", `mkdir ${mount} && mount -t tmpfs -o size=256k none ${mount}`]);
      expect(made.status).toBe(0);
      const spool = Spool.open({ folder: join(mount, "s"), segmentBytes: 16_384 });
      try {
        const fill = () => {
          for (;;) spool.durable(spool.append(record(1, 4000)), "os");
        };
        expect(fill).toThrow(SpoolUnwritable);
        expect(spool.state).toBe("failed");
        expect(String(spool.failure)).toContain("ENOSPC");
        await spool.read(0); // What is there stays readable.
        spool.acknowledge(30);
        const sequence = spool.append(record(2));
        await spool.durable(sequence, "disk");
        expect(spool.state).toBe("ok");
        const kept = await everything(spool);
        expect(kept).toHaveLength(sequence - 30);
      } finally {
        await spool.close();
        spawnSync("sh", ["-c", `umount ${mount}`]);
      }
    },
  );

  it("says what to do about a folder it may not write", () => {
    const folder = join(root, "file");
    writeFileSync(folder, "");
    expect(() => Spool.open({ folder: join(folder, "s") })).toThrow(SpoolUnwritable);
    if (process.getuid?.() === 0) return;
    chmodSync(root, 0o500);
    expect(() => open()).toThrow(/owner or mode/);
    chmodSync(root, 0o700);
  });
});

describe("the lock", () => {
  it("lets one in", () => {
    open();
    expect(() => open()).toThrow(SpoolLocked);
  });

  it("is given back on close, and taken over from the dead", async () => {
    const first = open();
    await first.close();
    writeFileSync(join(root, "s", "lock.9"), JSON.stringify({ pid: process.pid, born: "an earlier process" }));
    await open().close();
    writeFileSync(join(root, "s", "lock.9"), "");
    await open().close();
    expect(readdirSync(join(root, "s")).filter((name) => name.startsWith("lock"))).toEqual([]);
  });
});

describe("after a crash", () => {
  it("cuts a torn tail anywhere and loses nothing before it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 30 }),
        fc.nat(),
        fc.uint8Array({ maxLength: 40 }),
        async (payloads, cut, garbage) => {
          rmSync(join(root, "s"), { recursive: true, force: true });
          const spool = open({ segmentBytes: 400 });
          for (const payload of payloads) spool.append(payload);
          await spool.close();
          const path = newest();
          const size = statSync(path).size;
          const keep = size - (cut % size);
          truncateSync(path, keep);
          appendFileSync(path, garbage);
          const again = open({ segmentBytes: 400 });
          const kept = await everything(again, 0);
          const whole = payloads.map((payload) => Buffer.from(payload).toString());
          expect(kept).toEqual(whole.slice(0, kept.length));
          if (keep === size) expect(kept).toHaveLength(whole.length);
          expect(again.append(record(1))).toBe(kept.length + 1);
          await again.durable(kept.length + 1, "disk");
          expect(await everything(again, 0)).toHaveLength(kept.length + 1);
          await again.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("never gives a sequence the control plane has seen to another record", async () => {
    const spool = open();
    for (const n of [1, 2, 3]) spool.append(record(n));
    await spool.durable(3, "disk");
    spool.acknowledge(3);
    await spool.close();
    truncateSync(newest(), 52);
    const again = open();
    expect(again.source).not.toBe(spool.source);
    expect(again.damage).not.toBeNull();
  });

  it("keeps what is damaged in the middle aside, and carries on what can be read under a new source", async () => {
    const spool = open({ segmentBytes: 400 });
    for (let n = 1; n <= 40; n++) await spool.durable(spool.append(record(n)), "disk");
    await spool.close();
    const victim = join(root, "s", files()[1]!);
    const bytes = readFileSync(victim);
    bytes[52 + 36 + 20]! ^= 0xff;
    writeFileSync(victim, bytes);
    const again = open({ segmentBytes: 400 });
    expect(again.source).not.toBe(spool.source);
    expect(again.damage).toMatchObject({ source: spool.source, salvaged: 39, lost: 1 });
    expect(readdirSync(again.damage!.keptIn).length).toBeGreaterThan(2);
    expect(await everything(again)).toHaveLength(39);
    await again.close();
    expect(open({ segmentBytes: 400 }).damage).toBeNull();
  });

  it("takes nothing for records that a torn record's payload holds", async () => {
    const spool = open();
    const forged = Buffer.alloc(16 + 6);
    encodeFrame(forged, 0, 3, Buffer.from("forged"), 0);
    await spool.durable(spool.append(record(1)), "disk");
    await spool.durable(spool.append(Buffer.concat([forged, Buffer.alloc(50)])), "disk");
    await spool.close();
    truncateSync(newest(), statSync(newest()).size - 10);
    const again = open();
    expect(again.damage).toBeNull();
    expect(await everything(again, 0)).toEqual([record(1).toString()]);
  });

  it("carries over once what two files hold", async () => {
    const spool = open({ segmentBytes: 400 });
    for (let n = 1; n <= 20; n++) spool.append(record(n));
    await spool.close();
    const name = files()[0]!;
    copyFileSync(join(root, "s", name), join(root, "s", name.replace(/1.seg$/, "3.seg")));
    const again = open();
    expect(again.damage).toMatchObject({ salvaged: 20, lost: 0 });
    expect(new Set(await everything(again)).size).toBe(20);
  });

  it("goes on with what the version before has left", async () => {
    const spool = open();
    await spool.durable(spool.append(record(1)), "disk");
    await spool.close();
    const bytes = readFileSync(newest());
    bytes[7] = 1;
    bytes.writeUInt32BE(crc32c(bytes, 0, 48), 48);
    encodeFrame(bytes, 52, 1, record(1), 0);
    writeFileSync(newest(), bytes);
    for (const last of [1, 2]) {
      const again = open();
      expect(again).toMatchObject({ source: spool.source, damage: null, last });
      again.append(record(last + 1));
      await again.close();
    }
    expect(await everything(open(), 0)).toHaveLength(3);
  });

  it("takes room that was made and not used for what it is, in every segment", async () => {
    const spool = open({ segmentBytes: 400 });
    for (let n = 1; n <= 40; n++) spool.append(record(n));
    await spool.durable(40, "os");
    for (const name of files()) appendFileSync(join(root, "s", name), Buffer.alloc(1000));
    await spool.close();
    for (const name of files()) appendFileSync(join(root, "s", name), Buffer.alloc(1000));
    const again = open({ segmentBytes: 400 });
    expect(again.damage).toBeNull();
    expect(await everything(again)).toHaveLength(40);
    expect(again.append(record(41))).toBe(41);
  });

  it("has every record a killed process was told is written, and no other in its place", async () => {
    const built = join(root, "built");
    const swc = spawnSync("npx", ["swc", "libs/spool/src", "-d", built, "--ignore", "**/*.spec.ts", "--quiet"]);
    expect(swc.status).toBe(0);
    writeFileSync(join(built, "package.json"), '{"type":"module"}');
    symlinkSync(resolve("node_modules"), join(root, "node_modules"));
    const script = `
      import { Spool } from "./libs/spool/src/index.js";
      const spool = Spool.open({ folder: process.argv[2], segmentBytes: 2000 });
      for (let n = 1; ; n++) {
        const sequence = spool.append(Buffer.from("child " + n + " " + "x".repeat(n % 97)));
        const wait = spool.durable(sequence, n % 5 ? "os" : "disk");
        if (wait) await wait;
        process.stdout.write(sequence + "\\n");
      }`;
    writeFileSync(join(built, "child.js"), script);
    for (let round = 0; round < 4; round++) {
      const before = open({ segmentBytes: 2000 });
      const start = before.last;
      await before.close();
      const child = spawn(process.execPath, [join(built, "child.js"), join(root, "s")], {
        stdio: ["ignore", "pipe", 2],
      });
      let said = "";
      child.stdout!.on("data", (chunk) => {
        said += chunk;
        if (said.length > 2000 * (round + 1)) child.kill("SIGKILL");
      });
      await once(child, "close");
      const promised = Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
      const after = open({ segmentBytes: 2000 });
      expect(after.damage).toBeNull();
      expect(after.last).toBeGreaterThanOrEqual(promised);
      const records = (await everything(after, start)).slice(0, promised - start);
      for (const [index, text] of records.entries()) expect(text.startsWith(`child ${index + 1} `)).toBe(true);
      await after.close();
    }
  });
});
