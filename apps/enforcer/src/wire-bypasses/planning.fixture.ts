import { MAILS, run, type Wire, type WireBypass } from "./wire-bypass.fixture.js";

/** What functions do while the server plans what calls them. */
export const PLANNING: readonly WireBypass[] = [
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
];
