import { openingRows, upstreamRows } from "./logins.js";
import { clientRows, serverRows } from "./messages.js";
import { statementRows } from "./statements.js";
import { table } from "./table.js";

/** `docs/postgres-coverage.md`, as the code is. */
export async function document(): Promise<string> {
  return `# What is covered of PostgreSQL

Each kind of message and of statement against each control: whether an enforcer understands it, decides it, masks what it
carries, and records it. Nothing here was written by hand: \`npm run generate:coverage\` sends every kind of message through
the real logins and conversation, and everything the corpus and the bypass list hold through the real understanding, and
notes what becomes of it; \`test/postgres-coverage\` fails where this page says something else, where a kind has no row, and where a
row has a blank. \`denied\` is an answer, and so is \`passed\`.

A statement that is not understood is denied with the reason, whatever its kind. The texts of errors and notices lose what
could quote a labelled value, whatever the statement. What else a statement does (functions it calls, tables it reads, a
write inside a WITH) is decided with it, as are the labelled values that decide something in it or are stored; a setting is
such a place, so that a ParameterStatus has nothing to hide.

## What opens a connection

A client of protocol 3.0 or 3.2:

${table("message", openingRows())}

The server's answers to the enforcer's own login:

${table("message", upstreamRows())}

## Messages of a session

The same in 3.0 and 3.2. From the client:

${table("message", clientRows())}

From the server:

${table("message", serverRows())}

## Statements

Every kind the parser can give, by its own declarations:

${table("statement", await statementRows())}
`;
}
