/** One way around what the enforcer keeps: texts over the shop that work without it, and must not through it. */
export interface Bypass {
  /** The trick, to be read behind the title of its section. */
  readonly why: string;
  /** Sent one after the other, whatever becomes of each. */
  readonly steps: readonly string[];
  /** In a transaction that is taken back; false where the steps say themselves where transactions begin and end. */
  readonly apart: boolean;
  /** Bound to `$1`, `$2`, …, where there are any. */
  readonly values?: readonly unknown[];
  /** Why it does nothing on the tests' server without the enforcer either; it would elsewhere, or once did. */
  readonly blunt?: string;
  /** The first major version of the server that knows it. */
  readonly since?: number;
}

/** Something a policy forbids, and does not recognise by its spelling. */
export interface Forbidden extends Bypass {
  /** Among its operations. */
  readonly does: readonly string[];
  /** One of them writes every row of a table. */
  readonly unbounded?: boolean;
  /** It is refused because it cannot be understood. */
  readonly notUnderstood?: boolean;
}

/** Something that shows a labelled value. */
export interface Shown extends Bypass {
  /** The outputs that can show one, by position; of a single text only. */
  readonly masked: readonly number[];
  /** Those that cannot. */
  readonly clear?: readonly number[];
}

/** Something that puts a labelled value where its label does not reach. */
export interface Stored extends Bypass {
  readonly stores: readonly string[];
}

/** Something that a labelled value decides: which rows there are, in which order, whether it fails. */
export interface Asked extends Bypass {
  /** As `filter pattern schema.table.column`. */
  readonly uses: readonly string[];
}

/** Something ordinary that looks dangerous, and passes; its answer is the server's own, unless `blunt` says why not. */
export interface Ordinary extends Bypass {
  /** Exactly this, within bounds. */
  readonly does: readonly string[];
}

/** A text runs in a transaction of its own, a list of texts as it stands. */
type Way<More> = string | readonly string[] | (Partial<Omit<More, keyof Steps>> & { sql: string | readonly string[] });
type Steps = Pick<Bypass, "why" | "steps">;

/** Ways of one kind, each under why it could work: one line a way. */
function section<More extends Bypass>(
  title: string,
  defaults: Partial<More>,
  ways: Readonly<Record<string, Way<More>>>,
) {
  return Object.entries(ways).map(([why, way]) => {
    const { sql, ...more } = typeof way === "string" || Array.isArray(way) ? { sql: way } : (way as { sql: string });
    const steps = typeof sql === "string" ? [sql] : sql;
    return { apart: typeof sql === "string", ...defaults, ...more, why: `${title}: ${why}`, steps } as unknown as More;
  });
}

type Actions = string | readonly string[];

export const forbids = (title: string, does: Actions, ways: Readonly<Record<string, Way<Forbidden>>>) =>
  section<Forbidden>(title, { does: [does].flat() }, ways);

export const forbidsEveryRow = (title: string, does: Actions, ways: Readonly<Record<string, Way<Forbidden>>>) =>
  section<Forbidden>(title, { does: [does].flat(), unbounded: true }, ways);

export const notUnderstood = (title: string, ways: Readonly<Record<string, Way<Forbidden>>>) =>
  section<Forbidden>(title, { does: [], notUnderstood: true, blunt: "it is no statement" }, ways);

/** What nobody may do, whatever a policy permits. */
export const refuses = (title: string, ways: Readonly<Record<string, Way<Forbidden>>>) =>
  section<Forbidden>(title, { does: [], notUnderstood: true }, ways);

export const shows = (title: string, ways: Readonly<Record<string, Way<Shown>>>) =>
  section<Shown>(title, { masked: [0] }, ways);

export const stores = (title: string, ways: Readonly<Record<string, Way<Stored>>>) => section<Stored>(title, {}, ways);

/** Texts with what they ask, as `filter pattern table.column`; of `customers.email` where no column is said. */
export const asks = (title: string, ways: Readonly<Record<string, Actions>>): readonly Asked[] =>
  Object.entries(ways).map(([sql, uses]) => {
    const said = [uses].flat().map((use) => (/[.*]/.test(use) ? use : `${use} customers.email`));
    const uniform = said.map((use) => use.replace(/ ([^\s*]+)$/, " public.$1"));
    return { why: `${title}: ${sql}`, steps: [sql], apart: true, uses: uniform };
  });

export const passes = (title: string, does: Actions, ways: Readonly<Record<string, Way<Ordinary>>>) =>
  section<Ordinary>(title, { does: [does].flat() }, ways);

/** Those that are one text. */
export const single = <Case extends { steps: readonly string[] }>(cases: readonly Case[]) =>
  cases.filter(({ steps }) => steps.length === 1).map((given) => ({ ...given, text: given.steps[0]! }));
