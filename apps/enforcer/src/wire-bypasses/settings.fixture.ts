import { front } from "../../../../libs/protocols/src/postgres/wire.fixture.js";
import { MAILS, run, type WireBypass } from "./wire-bypass.fixture.js";

/** What the search_path is, and when. */
export const SETTINGS: readonly WireBypass[] = [
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
];
