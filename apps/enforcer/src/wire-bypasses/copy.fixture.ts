import { MAILS, run, type WireBypass } from "./wire-bypass.fixture.js";

/** What the server reads as COPY data, and which answer belongs to what. */
export const COPY: readonly WireBypass[] = [
  {
    why: "answers that move up by one, as COPY fails before a Sync it would have ignored",
    // Known, so that nothing waits.
    before: ["create temp table sink (n int)", MAILS, "select 'x'::text"],
    readies: 5,
    send: (wire) => {
      wire.once("copyInResponse", () => {
        wire.stream.cork();
        wire.sendCopyFromChunk(Buffer.from("no number\n"));
        wire.sync();
        wire.endCopyFrom();
        wire.sync();
        for (const text of [MAILS, "select 'x'::text", "select 'x'::text"]) wire.query(text);
        wire.stream.uncork();
      });
      wire.parse({ text: "copy sink from stdin" });
      wire.bind({});
      wire.execute({});
      wire.flush();
    },
  },
  {
    why: "answers that move up by one, as the Syncs behind two COPYs of one query are ignored",
    before: ["create temp table sink (n int)", MAILS, "select 'x'::text"],
    readies: 4,
    send: (wire) => {
      wire.stream.cork();
      wire.query("copy sink from stdin; copy sink from stdin");
      wire.sync();
      wire.endCopyFrom();
      wire.sync();
      wire.endCopyFrom();
      for (const text of [MAILS, "select 'x'::text", "select 'x'::text"]) wire.query(text);
      wire.stream.uncork();
    },
  },
  {
    why: "what goes on behind the Sync of a COPY that fails before it reads",
    before: ["create temp table sink (n int)", "create temp view no_sink as select n from sink"],
    readies: 2,
    send: (wire) => {
      wire.stream.cork();
      run(wire, "copy no_sink from stdin");
      wire.sync();
      wire.endCopyFrom();
      run(wire, MAILS);
      wire.sync();
      wire.stream.uncork();
    },
  },
  {
    why: "a setting undone by what fails behind the Sync that its batch's COPY ignores",
    before: ["create temp table sink (n int)"],
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = app");
      run(wire, "copy sink from stdin");
      wire.sync();
      wire.endCopyFrom();
      run(wire, "select 1/0");
      wire.sync();
      run(wire, MAILS);
      wire.sync();
    },
  },
];
