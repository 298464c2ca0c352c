import { MAILS, run, type Wire, type WireBypass } from "./wire-bypass.fixture.js";

/** What the names of statements, portals and cursors stand for. */
export const NAMES: readonly WireBypass[] = [
  {
    why: "a portal bound twice",
    readies: 1,
    send: (wire) => {
      wire.parse({ name: "a", text: "select name from customers" });
      wire.parse({ name: "b", text: MAILS });
      wire.bind({ statement: "a" });
      wire.bind({ statement: "b" });
      wire.execute({});
      wire.sync();
    },
  },
  {
    why: "a statement of SQL, bound by the protocol",
    before: [`prepare p as ${MAILS}`],
    readies: 1,
    send: (wire) => {
      wire.bind({ statement: "p" });
      wire.execute({});
      wire.sync();
    },
  },
  {
    why: "a statement replaced in the batch that uses it",
    readies: 2,
    send: (wire) => {
      wire.parse({ name: "s", text: "select name from customers" });
      wire.sync();
      wire.close({ type: "S", name: "s" });
      wire.parse({ name: "s", text: MAILS });
      wire.bind({ statement: "s" });
      wire.execute({});
      wire.sync();
    },
  },
  {
    why: "a cursor of SQL, run as a portal",
    before: ["begin", `declare c cursor for ${MAILS}`],
    readies: 1,
    send: (wire) => {
      wire.execute({ portal: "c" });
      wire.sync();
    },
  },
  {
    why: "a portal of the protocol, fetched by SQL",
    before: ["begin"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "q" });
      wire.sync();
      wire.query("fetch all from q");
    },
  },
  {
    why: "a portal of a cursor's name, once its transaction is over",
    before: ["begin", "declare c cursor for select 'x'::text", "commit", "begin"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "c" });
      wire.sync();
      wire.query("fetch all from c");
    },
  },
  {
    why: "a portal of a cursor's name, once that is closed",
    before: ["begin", "declare c cursor for select 'x'::text"],
    readies: 2,
    send: (wire) => {
      wire.close({ type: "P", name: "c" });
      wire.parse({ text: MAILS });
      wire.bind({ portal: "c" });
      wire.sync();
      wire.query("fetch all from c");
    },
  },
  {
    why: "a portal in parts, binary",
    readies: 1,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ binary: true });
      wire.execute({ rows: 2 });
      wire.execute({ rows: 1 });
      wire.execute({});
      wire.sync();
    },
  },
  {
    why: "never described",
    readies: 1,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({});
      wire.execute({});
      wire.sync();
    },
  },
  ...[
    ["a ROLLBACK and a BEGIN", [], "rollback; begin"],
    ["a ROLLBACK AND CHAIN", [], "rollback and chain"],
    ["a ROLLBACK AND CHAIN past a savepoint", ["savepoint s"], "rollback /**/ And /**/ Chain"],
    ["a ROLLBACK and a BEGIN past a savepoint", ["savepoint s"], "rollback; begin"],
    ["a COMMIT AND CHAIN", [], "commit and chain"],
    ["a ROLLBACK TO", ["savepoint s"], "rollback to s"],
    ["a RELEASE and a ROLLBACK TO", ["savepoint r", "savepoint s"], "release s; rollback to r"],
  ].map(([end, before, sql]) => ({
    why: `a function's cursor, by the name of a portal that is gone with ${end}`,
    before: ["begin", ...(before as string[])],
    readies: 4,
    send: (wire: Wire) => {
      wire.parse({ text: "select 'x'::text" });
      wire.bind({ portal: "c" });
      wire.describe({ type: "P", name: "c" });
      wire.sync();
      wire.query(sql);
      wire.query("select mail_cursor('c')");
      wire.execute({ portal: "c" });
      wire.sync();
    },
  })),
  {
    why: "a portal that a function closes, to open another",
    before: ["begin"],
    readies: 1,
    send: (wire) => {
      wire.parse({ text: "select 'x'::text from generate_series(1, 2)" });
      wire.bind({ portal: "c" });
      run(wire, "select opened_anew('c')");
      wire.execute({ portal: "c" });
      wire.sync();
    },
  },
  ...[
    ["closed by the protocol", (wire: Wire) => wire.close({ type: "P", name: "p" }), "select mail_cursor('p')"],
    ["closed by SQL", (wire: Wire) => run(wire, "close p"), "select mail_cursor('p')"],
    ["closed by the function", () => {}, "select opened_anew('p')"],
    ["gone with a ROLLBACK TO", (wire: Wire) => run(wire, "rollback to s"), "select mail_cursor('p')"],
    ["gone with its transaction", (wire: Wire) => run(wire, "rollback and chain"), "select mail_cursor('p')"],
  ].flatMap(([how, close, open]) =>
    (["fetched by SQL", "fetched by SQL in the same text", "fetched by SQL in the same batch"] as const).map(
      (fetched, way) => ({
        why: `a function's cursor, by the name of a portal that is ${how}, ${fetched}`,
        before: ["begin", "savepoint s"],
        readies: 3 - (way && 1),
        send: (wire: Wire) => {
          wire.parse({ text: "select 'x'::text from generate_series(1, 2)" });
          wire.bind({ portal: "p" });
          wire.sync();
          (close as (wire: Wire) => void)(wire);
          if (way === 1) return wire.query(`${open}; fetch all from p`);
          run(wire, open as string);
          if (way === 2) run(wire, "fetch all from p");
          wire.sync();
          if (way === 0) wire.query("fetch all from p");
        },
      }),
    ),
  ),
  {
    why: "a FETCH bound before its portal is another",
    before: ["begin"],
    readies: 1,
    send: (wire) => {
      wire.parse({ text: "select 'x'::text" });
      wire.bind({ portal: "p" });
      wire.parse({ name: "f", text: "fetch all from p" });
      wire.bind({ portal: "f", statement: "f" });
      wire.close({ type: "P", name: "p" });
      wire.parse({ text: MAILS });
      wire.bind({ portal: "p" });
      wire.execute({ portal: "f" });
      wire.sync();
    },
  },
  {
    why: "a FETCH bound before a function opens another by its portal's name",
    before: ["begin"],
    readies: 1,
    send: (wire) => {
      wire.parse({ text: "select 'x'::text from generate_series(1, 2)" });
      wire.bind({ portal: "p" });
      wire.parse({ name: "f", text: "fetch all from p" });
      wire.bind({ portal: "f", statement: "f" });
      run(wire, "select opened_anew('p')");
      wire.execute({ portal: "f" });
      wire.sync();
    },
  },
  {
    why: "a portal bound to what is fetched from another",
    before: ["begin"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "p" });
      wire.parse({ text: "fetch all from p" });
      wire.bind({ portal: "f" });
      wire.sync();
      wire.query("fetch all from f");
    },
  },
  {
    why: "a portal that is bound in vain where there is one of its name",
    before: ["begin"],
    readies: 5,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "p" });
      wire.sync();
      wire.query("savepoint s");
      wire.parse({ text: "select 'x'::text" });
      wire.bind({ portal: "p" });
      wire.sync();
      wire.query("rollback to s");
      wire.query("fetch all from p");
    },
  },
  {
    why: "a portal that a function closes, half-way through its rows",
    before: ["begin"],
    readies: 1,
    send: (wire) => {
      wire.parse({ text: "select 'x'::text from generate_series(1, 2)" });
      wire.bind({ portal: "c" });
      wire.parse({ name: "s", text: "select opened_anew('c') from generate_series(1, 1) union all select 'y'" });
      wire.bind({ portal: "s", statement: "s" });
      wire.execute({ portal: "s", rows: 1 });
      wire.execute({ portal: "c" });
      wire.sync();
    },
  },
  {
    why: "an EXECUTE bound before its name is another's",
    before: ["prepare p as select 'x'::text"],
    readies: 1,
    send: (wire) => {
      wire.parse({ text: "execute p" });
      wire.bind({ portal: "e" });
      wire.close({ type: "S", name: "p" });
      wire.parse({ name: "p", text: MAILS });
      wire.execute({ portal: "e" });
      wire.sync();
    },
  },
  {
    why: "an EXECUTE bound before its name is another's by SQL",
    before: ["prepare p as select 'x'::text"],
    readies: 1,
    send: (wire) => {
      wire.parse({ text: "execute p" });
      wire.bind({ portal: "e" });
      run(wire, "deallocate p");
      run(wire, `prepare p as ${MAILS}`);
      wire.execute({ portal: "e" });
      wire.sync();
    },
  },
];
