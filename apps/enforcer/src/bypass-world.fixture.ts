/** A whole enforcer before a shop whose labelled values all hold a mark, and connections whose every byte is kept. */
import pg from "pg";
import type { PolicyPart } from "#commands";
import { MARK, MARKED_SHOP_SQL } from "../../../libs/sql/src/bypasses/marked-shop.fixture.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";

/** As text, upper case, backwards, hexadecimal or base64 the mark is still found. */
export const SHOWS = new RegExp(
  [MARK, [...MARK].reverse().join(""), Buffer.from(MARK).toString("hex"), "enF4N", "pxeD", "6cXg3"].join("|"),
  "i",
);

const LABELS = [
  ["customers", "email"],
  ["customers", "phone"],
  ["customers", "card"],
  ["events", "email"],
  ["people", "ssn"],
  ["badges", "ssn"],
  ["stamped_badges", "ssn"],
  ["refs", "mail"],
  ["mail_refs", "mail"],
  ["by_mail", "mail"],
  ["excluded_mail", "mail"],
  ["folded_mails", "mail"],
  ["narrow", "mail"],
  ["accounts", "iban"],
  ["transfers", "iban"],
  ["transfers", "back"],
].map(([table, column]) => ({
  name: `pii.${table}.${column}`,
  columns: [{ resource: "shop", schema: "public", table: table!, column: column! }],
  // Of a card its last four characters show, which hold no mark.
  transform:
    column === "card"
      ? { kind: "partial" as const, options: { keep_last: "4" } }
      : { kind: "redact" as const, options: {} },
}));

const permits = (actions: readonly string[]) =>
  `permit (principal, action in [${actions.map((action) => `Action::"sql:${action}"`).join(", ")}], resource);`;
const policy = (name: string, ...actions: string[]) => ({
  name,
  text: `permit (principal, action == Action::"connect", resource); ${permits(actions)}
    forbid (principal, action in Action::"sql:write", resource) unless { context.bounded };`,
});
/** Lets run what could show a value, but not ask about it. */
export const STRICT = policy("strict", "read", "write", "session", "ddl", "call");
/** Lets ask, too, so that only the masks keep what is labelled. */
export const WIDE = {
  name: "wide",
  text: `${STRICT.text} permit (principal, action in [Action::"filter", Action::"order"], resource);`,
};
/** Lets do anything but write every row, and ask, too. */
export const ANY = {
  name: "any",
  text: `${policy("any", "any").text} permit (principal, action in [Action::"filter", Action::"order"], resource);`,
};
/** Lets pass only what reads, and writes some rows. */
export const NARROW = policy("narrow", "read", "insert", "update", "delete", "merge", "session");

export type Mode = "simple" | "extended" | "binary";
export interface Answer {
  /** As they came, in latin1. */
  readonly bytes: string;
  /** SQLSTATE; empty where nothing failed. */
  readonly code: string;
  /** What the server said of it. */
  readonly message: string;
}

/** A connection whose every received byte is kept. */
export class Tapped {
  readonly #received: Buffer[] = [];
  private constructor(readonly client: pg.Client) {}

  static async open(target: pg.ClientConfig): Promise<Tapped> {
    const client = new pg.Client(target);
    client.on("error", () => {});
    await client.connect();
    const tapped = new Tapped(client);
    // A copy, and before the driver sees it: that moves what it has not read yet about within its chunks.
    tapped.stream.prependListener("data", (chunk: Buffer) => tapped.#received.push(Buffer.from(chunk)));
    return tapped;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
  get wire(): any {
    return (this.client as unknown as { connection: unknown }).connection;
  }

  get stream(): NodeJS.ReadableStream & { destroy(): void } {
    return this.wire.stream;
  }

  /** Its answer, whether it failed or not. */
  async run(text: string, mode: Mode, values?: readonly unknown[]): Promise<Answer> {
    this.#received.length = 0;
    const extended = { text, values: values ?? [], queryMode: "extended", binary: mode === "binary" };
    const query = mode === "simple" && !values ? { text } : extended;
    const failed = await this.client.query(query as pg.QueryConfig).then(
      () => null,
      (error: pg.DatabaseError) => error,
    );
    const bytes = Buffer.concat(this.#received).toString("latin1");
    return { bytes, code: failed ? (failed.code ?? "lost") : "", message: failed?.message ?? "" };
  }

  /** The rows, as the client gets them. */
  async rows(text: string): Promise<{ code: string; rows: unknown[][]; count: number }> {
    return this.client.query({ text, rowMode: "array" }).then(
      ({ rows, rowCount }) => ({ code: "", rows, count: rowCount ?? 0 }),
      (error: pg.DatabaseError) => ({ code: error.code ?? "lost", rows: [], count: 0 }),
    );
  }

  /** Messages of the protocol in one go, until as many ReadyForQuery came. */
  async pipeline(readies: number, send: (wire: Tapped["wire"]) => void): Promise<string> {
    this.#received.length = 0;
    const { wire } = this;
    for (const event of ["errorMessage", "dataRow", "rowDescription", "commandComplete", "parseComplete"]) {
      wire.removeAllListeners(event);
    }
    wire.removeAllListeners("readyForQuery");
    await new Promise<void>((done) => {
      wire.on("readyForQuery", () => --readies === 0 && done());
      wire.on("end", done);
      send(wire);
    });
    return Buffer.concat(this.#received).toString("latin1");
  }
}

export interface BypassWorld {
  readonly world: World;
  /** Through the enforcer. */
  through(): Promise<Tapped>;
  /** Puts a policy in force, and waits until it is: when the probe is answered so. */
  inForce(policy: PolicyPart, probe: string, code: string): Promise<void>;
  /** Straight to the server. */
  around(): Promise<Tapped>;
  drop(): Promise<void>;
}

export async function bypassWorld(): Promise<BypassWorld> {
  const world = await createWorld();
  await world.direct(`drop table customers, orders, notes, big cascade; ${MARKED_SHOP_SQL}`);
  world.control.change({ policies: [WIDE], labels: LABELS });
  const enforcer = await Enforcer.start(await world.config({ allowPlaintext: true }));
  const through = () => {
    const { id, secret } = world.control.token();
    const port = enforcer.ports[0]!;
    return Tapped.open({ host: "127.0.0.1", port, user: `foil_${id}`, password: secret, database: "shop" });
  };
  return {
    world,
    through,
    async inForce(policy, probe, code) {
      world.control.change({ policies: [policy] });
      const by = await through();
      while ((await by.run(probe, "simple")).code !== code) await world.direct("select 1");
      await by.client.end();
    },
    around: () => Tapped.open({ connectionString: world.control.database.url }),
    async drop() {
      await enforcer.drain();
      await world.drop();
    },
  };
}
