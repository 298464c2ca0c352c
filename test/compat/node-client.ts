import { readFileSync } from "node:fs";
import pg from "pg";
import { Numbered } from "./numbered.js";
import type { Way } from "./ways.js";

const clients: pg.Client[] = [];
/** For `afterEach`. */
export async function endClients(): Promise<void> {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
}

export const config = ({ connection, ca }: Way): pg.ClientConfig => ({
  ...connection,
  ssl: ca ? { ca: readFileSync(ca, "utf8") } : false,
});

export async function connect(way: Way, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...config(way), ...options });
  clients.push(client);
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Rows, fields and tag, without OIDs. */
const shown = ({ rows, fields, command, rowCount }: pg.QueryResult) => {
  const numbers = new Numbered();
  return {
    rows,
    command,
    rowCount,
    fields: fields.map((field) => ({
      ...field,
      tableID: numbers.of(field.tableID),
      dataTypeID: numbers.of(field.dataTypeID),
    })),
  };
};
/** A result as it is shown, or the error with all its fields. */
export const answer = (query: Promise<pg.QueryResult | pg.QueryResult[]>) =>
  query.then(
    (result) => (Array.isArray(result) ? result.map(shown) : shown(result)),
    ({ message, length: _length, ...fields }: pg.DatabaseError) => {
      // A syntax error is told by the enforcer, which does not know where this server would have noticed.
      if (fields.code === "42601") for (const name of ["file", "line", "routine"] as const) delete fields[name];
      return { message, ...fields };
    },
  );
