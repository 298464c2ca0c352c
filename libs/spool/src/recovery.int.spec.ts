import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { crc32c } from "./crc32c.js";
import type { Spool } from "./index.js";
import { encodeFrame, HEADER_BYTES } from "./segment.js";
import { Audit, everything, inFolder, record, records, write } from "./spool.fixture.js";

const { root, folder, open, files, newest } = inFolder();
const note = (of = folder()) => join(of, "acknowledged.json");

describe("after a crash", () => {
  it("cuts a torn tail anywhere and loses nothing before it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 30 }),
        fc.nat(),
        fc.uint8Array({ maxLength: 40 }),
        async (payloads, cut, garbage) => {
          rmSync(folder(), { recursive: true, force: true });
          const spool = open({ segmentBytes: 400 });
          for (const payload of payloads) spool.append(payload);
          await spool.close();
          const size = statSync(newest()).size;
          const keep = size - (cut % size);
          truncateSync(newest(), keep);
          appendFileSync(newest(), garbage);
          const again = open({ segmentBytes: 400 });
          const audit = new Audit();
          await audit.takeFrom(again);
          const whole = payloads.map((payload) => Buffer.from(payload).toString());
          const kept = audit.taken.length;
          if (keep === size) expect(kept).toBe(whole.length);
          await write(again, 1);
          await audit.takeFrom(again);
          expect(audit.taken).toEqual([...whole.slice(0, kept), ...records(1, 1)]);
          const lost = again.damage.reduce((sum, damage) => sum + damage.lost, 0);
          expect(lost).toBe(whole.length - kept);
          await again.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("takes room that was made and not used for what it is, in every segment", async () => {
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 40);
    await spool.close();
    for (const name of files()) appendFileSync(join(folder(), name), Buffer.alloc(1000));
    const again = open({ segmentBytes: 400 });
    expect(again.damage).toEqual([]);
    expect(await everything(again.backlog)).toEqual(records(1, 40));
  });

  it("takes nothing for records that a torn record's payload holds", async () => {
    const spool = open();
    const forged = Buffer.alloc(16 + 6);
    encodeFrame(forged, 0, 3, Buffer.from("forged"), 0);
    await write(spool, 1);
    await spool.durable(spool.append(Buffer.concat([forged, Buffer.alloc(50)])), "os");
    await spool.close();
    truncateSync(newest(), statSync(newest()).size - 10);
    const again = open();
    expect(again.damage).toMatchObject([{ source: spool.source, lost: 1, carriedOnAs: null }]);
    expect(await everything(again.backlog)).toEqual(records(1, 1));
  });

  it("goes on with what the version before has left", async () => {
    const spool = open();
    await write(spool, 1, 3);
    await spool.close();
    const bytes = readFileSync(newest());
    bytes[7] = 1;
    bytes.writeUInt32BE(crc32c(bytes, 0, 48), 48);
    for (let n = 1, at = HEADER_BYTES; n <= 3; n++) at = encodeFrame(bytes, at, n, record(n), 0);
    writeFileSync(newest(), bytes);
    renameSync(newest(), join(folder(), `${spool.source}.0000000000000001.seg`));
    writeFileSync(note(), JSON.stringify({ source: spool.source, sequence: 1 }));
    const again = open();
    expect(again).toMatchObject({ damage: [], replaced: [{ source: spool.source, lost: 0 }] });
    await write(again, 4);
    expect(again.backlog.source).toBe(spool.source);
    expect(await everything(again.backlog)).toEqual(records(2, 3));
    again.acknowledge(spool.source, 3);
    expect(await everything(again.backlog)).toEqual(records(4, 4));
    expect(files()).toHaveLength(1);
  });

  it("names whose place it takes, though that one's records are all acknowledged, or its opening left none", async () => {
    const first = open();
    await write(first, 1, 2);
    first.acknowledge(first.source, 2);
    await first.close();
    for (const _ of [1, 2]) {
      const second = open();
      expect(second).toMatchObject({ unacknowledged: 0, damage: [], replaced: [{ source: first.source, lost: 0 }] });
      expect(files()).toEqual([]);
      await second.close();
    }
    const third = open();
    expect(third.replaced).toEqual([{ source: first.source, lost: 0, last: 2 }]);
    await write(third, 3);
    await third.close();
    expect(open().replaced).toEqual([{ source: third.source, lost: 0, last: 1 }]);
  });
});

describe("damage", () => {
  it("in the middle is kept aside, and what can be read goes on under another source, in its place", async () => {
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 40);
    await spool.close();
    const later = open();
    await write(later, 41);
    await later.close();
    const victim = join(folder(), files()[1]!);
    const bytes = readFileSync(victim);
    bytes[52 + 36 + 20]! ^= 0xff;
    writeFileSync(victim, bytes);
    const again = open({ segmentBytes: 400 });
    expect(again.damage).toMatchObject([{ source: spool.source, salvaged: 39, lost: 1 }]);
    const { keptIn, carriedOnAs } = again.damage[0]!;
    expect(readdirSync(keptIn!).length).toBeGreaterThan(2);
    expect(again.replaced).toEqual([
      { source: spool.source, lost: 1, last: 0 },
      { source: carriedOnAs, lost: 0, last: 0 },
      { source: later.source, lost: 0, last: 1 },
    ]);
    const audit = new Audit();
    await audit.takeFrom(again);
    expect(audit.taken).toHaveLength(40);
    expect(audit.taken.at(-1)).toBe(record(41).toString());
    await again.close();
    expect(open().damage).toEqual([]);
  });

  // Whichever of the two sources' ids is found first.
  it.each([1, 2, 3, 4, 5])("is dealt with once, when who dealt with it was killed before the end (%d)", async () => {
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 40);
    await spool.close();
    const [second] = files().slice(1);
    const left = join(root(), "left");
    rmSync(join(folder(), second!));
    cpSync(folder(), left, { recursive: true });
    const killed = open();
    const { carriedOnAs, lost } = killed.damage[0]!;
    await killed.close();
    // As it was when the salvaged records were in place, and the damaged files still there.
    for (const name of readdirSync(left))
      if (name.endsWith(".seg")) copyFileSync(join(left, name), join(folder(), name));
    const again = open();
    expect(again.damage).toMatchObject([{ source: spool.source, carriedOnAs }]);
    expect(await everything(again.backlog)).toHaveLength(40 - lost);
    expect(files().filter((name) => name.includes(spool.source))).toEqual([]);
  });

  it("at the beginning is seen: what comes after is no continuation for the audit service", async () => {
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 40);
    spool.acknowledge(spool.source, 2);
    await spool.close();
    rmSync(join(folder(), files()[0]!));
    const again = open();
    expect(again.damage).toHaveLength(1);
    const { lost, salvaged } = again.damage[0]!;
    expect(lost).toBeGreaterThan(0);
    expect(lost + salvaged).toBe(38);
    const audit = new Audit();
    await audit.takeFrom(again);
    expect(audit.taken).toEqual(records(41 - salvaged, 40));
  });

  it("of the oldest file, with the note, leaves a backlog that says where it begins", async () => {
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 20);
    await spool.close();
    rmSync(join(folder(), files()[0]!));
    rmSync(join(folder(), "acknowledged.json"));
    const { backlog } = open();
    expect(backlog.source).toBe(spool.source);
    expect(backlog.oldest).toBeGreaterThan(1);
    expect(await everything(backlog)).toEqual(records(backlog.oldest, 20));
  });

  it("of all files is seen", async () => {
    const spool = open();
    await write(spool, 1, 5);
    spool.acknowledge(spool.source, 2);
    await spool.close();
    rmSync(newest());
    const again = open();
    expect(again.damage).toMatchObject([{ source: spool.source, lost: 3, salvaged: 0, keptIn: null }]);
    expect(again.replaced).toEqual([{ source: spool.source, lost: 3, last: 5 }]);
  });

  it("of a file of which nothing can be read leaves the file to a person", async () => {
    const spool = open();
    await write(spool, 1, 5);
    await spool.close();
    writeFileSync(newest(), Buffer.alloc(1000, 7));
    const again = open();
    expect(again.damage).toMatchObject([{ source: spool.source, lost: 5, salvaged: 0, carriedOnAs: null }]);
    expect(readdirSync(again.damage[0]!.keptIn!)).toHaveLength(1);
  });

  it("carries over once what two files hold", async () => {
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 20);
    await spool.close();
    const name = files()[0]!;
    copyFileSync(join(folder(), name), join(folder(), name.replace(/1.seg$/, "3.seg")));
    const again = open();
    expect(again.damage).toMatchObject([{ salvaged: 20, lost: 0 }]);
    expect(new Set(await everything(again.backlog)).size).toBe(20);
  });
});

/** Before half a second is over, only the audit service knows what it has acknowledged. */
describe("what is recorded after files were lost is new to the audit service", () => {
  let audit: Audit;
  /** As a killed process leaves the folder that had shipped 20 records of 30, `earlier` when it had shipped 10. */
  async function killed(earlier: string): Promise<void> {
    audit = new Audit();
    const spool = open({ segmentBytes: 400 });
    await write(spool, 1, 10);
    await audit.takeFrom(spool);
    cpSync(folder(), earlier, { recursive: true, verbatimSymlinks: true });
    await write(spool, 11, 20);
    await audit.takeFrom(spool);
    await write(spool, 21, 30);
    cpSync(folder(), join(root(), "killed"), { recursive: true, verbatimSymlinks: true });
    await spool.close();
    rmSync(folder(), { recursive: true });
    renameSync(join(root(), "killed"), folder());
    release(folder());
  }
  const release = (of: string) => {
    for (const name of readdirSync(of)) if (name.startsWith("lock.")) rmSync(join(of, name));
  };
  const earlier = () => join(root(), "earlier");
  const remove = (names: readonly string[]) => {
    for (const name of names) rmSync(join(folder(), name));
  };

  it.each<[string, () => void]>([
    ["nothing", () => {}],
    ["the newest segment", () => rmSync(newest())],
    ["all segments", () => remove(files())],
    ["all but the oldest", () => remove(files().slice(1))],
    ["one in the middle", () => remove(files().slice(1, 2))],
    ["the newest segment's records", () => truncateSync(newest(), HEADER_BYTES)],
    ["all of the newest segment, but not the file", () => truncateSync(newest(), 0)],
    ["the end of the newest segment", () => truncateSync(newest(), HEADER_BYTES + 40)],
    [
      "the end of the newest segment, as if it were room",
      () => {
        const bytes = readFileSync(newest());
        writeFileSync(newest(), bytes.fill(0, HEADER_BYTES + 36));
      },
    ],
    ["the note", () => rmSync(note(), { force: true })],
    ["everything", () => rmSync(folder(), { recursive: true })],
    [
      "what came after a backup",
      () => {
        rmSync(folder(), { recursive: true });
        renameSync(earlier(), folder());
        release(folder());
      },
    ],
  ])("lost: %s", async (_, lose) => {
    await killed(earlier());
    const before = new Set(audit.taken);
    lose();
    for (const n of [101, 102]) {
      const spool = open({ segmentBytes: 400 });
      await write(spool, n);
      await audit.takeFrom(spool);
      await spool.close();
    }
    expect(audit.taken.slice(-1)).toEqual(records(102, 102));
    expect(audit.taken).toContain(record(101).toString());
    expect(new Set(audit.taken).size).toBe(audit.taken.length);
    expect(before.size).toBe(20);
  });
});

describe("the note of what is acknowledged", () => {
  /** Of 12 records in several segments, 7 are acknowledged, and nobody forgets it. */
  async function noted(): Promise<{ readonly spool: Spool; readonly audit: Audit; readonly text: string }> {
    const spool = open({ segmentBytes: 200 });
    const audit = new Audit();
    await write(spool, 1, 7);
    await audit.takeFrom(spool);
    await write(spool, 8, 12);
    await spool.close();
    return { spool, audit, text: readFileSync(note(), "latin1") };
  }

  /** Opens a copy of the folder that has this note. */
  async function goesOn(text: string, audit: Audit | null, n: number): Promise<Spool> {
    const copy = join(root(), `copy-${n}`);
    cpSync(folder(), copy, { recursive: true });
    writeFileSync(note(copy), text, "latin1");
    const spool = open({ folder: copy });
    await write(spool, 13);
    await audit?.takeFrom(spool);
    await spool.close();
    rmSync(copy, { recursive: true });
    return spool;
  }

  it("is believed as it was written, and nothing that is not it: what is not known to be safe is sent again", async () => {
    const { text } = await noted();
    const broken = ["", "null", "[]", "7", "{", "{}", '{"positions":[]}', '{"positions":[],"crc32c":0}', "\0\xff"];
    for (let at = 0; at < text.length; at += 5) {
      const flipped = text.charCodeAt(at) ^ (1 + (at % 7));
      broken.push(text.slice(0, at) + String.fromCharCode(flipped) + text.slice(at + 1));
    }
    for (const [n, garbage] of broken.entries()) {
      const audit = new Audit();
      for (let sequence = 1; sequence <= 7; sequence++)
        audit.take(spoolOf(text), sequence, record(sequence).toString());
      await goesOn(garbage, audit, n);
      expect(audit.taken).toEqual(records(1, 13));
    }
  });

  it("spares sending again what it says", async () => {
    const { spool, text } = await noted();
    const again = await goesOn(text, null, 0);
    expect(again.backlog).toMatchObject({ source: spool.source, acknowledged: 7, last: 12 });
  });

  const spoolOf = (text: string) => /[0-9a-f-]{36}/.exec(text)![0];
});

describe("a process that is killed", () => {
  const script = `
    import { Spool } from "./libs/spool/src/index.js";
    const [folder, round] = process.argv.slice(2);
    const spool = Spool.open({ folder, segmentBytes: 2000, syncWithinMs: 1 });
    const say = (...words) => process.stdout.write(words.join(" ") + "\\n");
    say("opened");
    async function ship() {
      const { backlog } = spool;
      const frames = await backlog.read(backlog.acknowledged, 300);
      for (const { sequence, payload } of frames) say("shipped", backlog.source, sequence, Buffer.from(payload));
      // Not all of it, so that there is always something left.
      const last = frames.at(-1)?.sequence ?? 0;
      spool.acknowledge(backlog.source, backlog === spool.backlog && backlog.source !== spool.source ? last : last - 3);
    }
    for (let n = 1; ; n++) {
      const text = "round-" + round + "-record-" + n + "-" + "x".repeat(n % 97);
      const wait = spool.durable(spool.append(Buffer.from(text)), n % 5 ? "os" : "disk");
      if (wait) await wait;
      say("durable", text);
      if (n % 7 === 0) await ship();
    }`;

  it("has every record it was told is written taken by the audit service once, whenever it was killed", async () => {
    const built = join(root(), "built");
    const swc = spawnSync("npx", ["swc", "libs/spool/src", "-d", built, "--ignore", "**/*.spec.ts", "--quiet"]);
    expect(swc.status).toBe(0);
    writeFileSync(join(built, "package.json"), '{"type":"module"}');
    writeFileSync(join(built, "child.js"), script);
    const audit = new Audit();
    const durable: string[] = [];
    for (let round = 0; round < 10; round++) {
      const child = spawn(process.execPath, [join(built, "child.js"), folder(), String(round)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      // In every second round at once, or before long.
      const until = Math.random() * (round % 2 ? 30 : 20_000);
      let said = "";
      child.stdout!.on("data", (chunk) => {
        said += chunk;
        if (said.length > until) child.kill("SIGKILL");
      });
      await once(child, "close");
      for (const line of said.slice(0, said.lastIndexOf("\n")).split("\n")) {
        const [what, ...words] = line.split(" ");
        if (what === "durable") durable.push(words[0]!);
        if (what === "shipped") audit.take(words[0]!, Number(words[1]), words[2]!);
      }
    }
    const left = open();
    expect(left.damage).toEqual([]);
    await audit.takeFrom(left);
    expect(left.unacknowledged).toBe(0);
    expect(new Set(audit.taken).size).toBe(audit.taken.length);
    const taken = new Set(audit.taken);
    expect(durable.filter((text) => !taken.has(text))).toEqual([]);
    expect(durable.length).toBeGreaterThan(0);
  });
});
