/** Ways around the masks that take messages in an order no text can give: more than the bypass list can say. */

import { front } from "../../../libs/protocols/src/postgres/wire.fixture.js";

/** As the driver's wire takes them. */
// biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
type Wire = any;

export interface WireBypass {
  readonly why: string;
  readonly before?: readonly string[];
  /** How many ReadyForQuery answer it. */
  readonly readies: number;
  readonly send: (wire: Wire, oid: number) => void;
  /** A function, to know the number of. */
  readonly calls?: string;
}

const MAILS = "select lower(email) from customers";
function run(wire: Wire, text: string, format = 0): void {
  wire.parse({ text });
  wire.bind({ binary: format === 1 });
  wire.describe({ type: "P", name: "" });
  wire.execute({});
}

export const WIRE_BYPASSES: readonly WireBypass[] = [
  {
    why: "a setting that a refused command behind it undoes",
    before: ["set application_name = 'x'"],
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = app");
      run(wire, "copy customers to program 'false'");
      wire.sync();
      run(wire, MAILS);
      wire.sync();
    },
  },
  {
    why: "a setting behind a failure, sent before it was answered",
    before: ["set search_path = app"],
    readies: 3,
    send: (wire) => {
      wire.query("select 1/0");
      wire.query("set search_path = public");
      wire.query(MAILS);
    },
  },
  {
    why: "a setting answered to a Flush, then undone",
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = app");
      wire.flush();
      run(wire, "select 1/0");
      wire.sync();
      run(wire, MAILS);
      wire.sync();
    },
  },
  {
    why: "the end of a transaction and what follows, in one batch",
    before: ["begin; set search_path = app"],
    readies: 1,
    send: (wire) => {
      run(wire, "rollback");
      run(wire, MAILS);
      wire.sync();
    },
  },
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
  {
    why: "a close that goes unanswered behind a setting",
    before: ["set search_path = app, public"],
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = public");
      wire.sync();
      wire.close({ type: "S", name: "nothing" });
      run(wire, MAILS);
      wire.sync();
    },
  },
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
    why: "a portal bound before the search_path was another",
    before: ["begin"],
    readies: 3,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "c" });
      wire.sync();
      wire.query("set local search_path = app");
      wire.execute({ portal: "c" });
      wire.sync();
    },
  },
  {
    why: "a statement prepared before a table of its name stood nearer on the search_path",
    before: [
      "set search_path = app, public",
      "prepare s as select lower(ssn) from people",
      "create table app.people (ssn text)",
    ],
    readies: 3,
    send: (wire) => {
      wire.query("execute s");
      wire.bind({ statement: "s" });
      wire.execute({});
      wire.sync();
      wire.query("drop table app.people");
    },
  },
  {
    why: "a setting that is bound and not run",
    before: ["set search_path = public"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: "set search_path = app" });
      wire.bind({});
      wire.sync();
      wire.query(MAILS);
    },
  },
  {
    why: "settings run in another order than they were bound",
    before: ["begin"],
    readies: 2,
    send: (wire) => {
      for (const path of ["public", "app"]) {
        wire.parse({ text: `set search_path = ${path}` });
        wire.bind({ portal: path });
      }
      wire.execute({ portal: "app" });
      wire.execute({ portal: "public" });
      wire.sync();
      wire.query(MAILS);
    },
  },
  {
    why: "a setting that is run again in vain",
    before: ["begin"],
    readies: 4,
    send: (wire) => {
      wire.parse({ text: "select set_config('search_path', 'app', false)" });
      wire.bind({ portal: "a" });
      wire.execute({ portal: "a" });
      wire.sync();
      wire.query("set search_path = public");
      wire.execute({ portal: "a" });
      wire.sync();
      wire.query(MAILS);
    },
  },
  {
    why: "a search_path by a function that is called by its number",
    before: ["set search_path = app"],
    calls: "public.to_default",
    readies: 2,
    send: (wire, oid) => {
      wire.stream.write(front.call(oid, []));
      wire.query(MAILS);
    },
  },
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
    why: "a portal bound before the search_path was another, fetched by SQL",
    before: ["begin"],
    readies: 3,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "p" });
      wire.sync();
      wire.query("set local search_path = app");
      wire.query("move 1 in p; fetch all from p");
    },
  },
  {
    why: "a portal that sets the search_path as it is fetched by SQL",
    before: ["set search_path = app", "begin"],
    readies: 3,
    send: (wire) => {
      wire.parse({ text: "select set_config('search_path', 'public', false)" });
      wire.bind({ portal: "p" });
      wire.sync();
      wire.query("fetch all from p");
      wire.query(MAILS);
    },
  },
  ...(["gone on with", "fetched by SQL"] as const).map((how) => ({
    why: `a portal that a function closes as the server plans what is bound, ${how}`,
    before: ["begin"],
    readies: 1,
    send: (wire: Wire) => {
      wire.parse({ text: "select 'x'::text from generate_series(1, 2)" });
      wire.bind({ portal: "p" });
      wire.parse({ text: "select opened_early('p')" });
      wire.bind({});
      if (how === "gone on with") wire.execute({ portal: "p" });
      else run(wire, "fetch all from p");
      wire.sync();
    },
  })),
  {
    why: "a search_path that a function sets as the server plans what is bound",
    before: ["set search_path = app"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: "select public.to_path_early('public')" });
      wire.bind({});
      run(wire, MAILS);
      wire.sync();
      run(wire, MAILS);
      wire.sync();
    },
  },
  {
    why: "a search_path that a function sets as the server plans a cursor",
    before: ["set search_path = app", "begin"],
    readies: 2,
    send: (wire) => {
      wire.query("declare c cursor for select public.to_path_early('public')");
      wire.query(MAILS);
    },
  },
  {
    why: "a cursor that a function closes as the server plans another",
    before: ["begin", "declare p cursor for select 'x'::text"],
    readies: 2,
    send: (wire) => {
      wire.query("declare c cursor for select opened_early('p')");
      wire.query("fetch all from p");
    },
  },
  {
    why: "a search_path that a function sets as the server explains what calls it",
    before: ["set search_path = app"],
    readies: 2,
    send: (wire) => {
      wire.query("explain select public.to_path_early('public')");
      wire.query(MAILS);
    },
  },
  {
    why: "a search_path that a function sets as what was prepared is planned",
    before: ["set search_path = app", "prepare s as select public.to_path_early('public')"],
    readies: 2,
    send: (wire) => {
      wire.query("explain execute s");
      wire.query(MAILS);
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
