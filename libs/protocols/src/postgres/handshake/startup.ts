import { ByteReader, MalformedBytes } from "#bytes";
import type { Refusal } from "#commands";

/** A client's StartupMessage, read: protocol version, parameters, and protocol options (`_pq_.`). */
export interface Startup {
  readonly minor: number;
  readonly user: string;
  readonly database: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly protocolOptions: readonly string[];
}

/** Names and values of a StartupMessage, in order. @throws MalformedBytes */
export function readParameters(body: Uint8Array): Map<string, string> {
  const reader = new ByteReader(body);
  const parameters = new Map<string, string>();
  for (let name = reader.cstring(); name !== ""; name = reader.cstring()) {
    if (parameters.has(name)) throw new MalformedBytes("a start-up parameter is given twice");
    parameters.set(name, reader.cstring());
  }
  reader.end();
  return parameters;
}

/** Settings that change how a session looks and waits, and nothing it may do or how its SQL is read. Lower case. */
const HARMLESS = new Set([
  "application_name",
  "bytea_output",
  "client_encoding",
  "client_min_messages",
  "datestyle",
  "default_transaction_deferrable",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "extra_float_digits",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
  "intervalstyle",
  "jit",
  "lock_timeout",
  "search_path",
  "statement_timeout",
  "timezone",
  "transaction_timeout",
]);

/** In other encodings an ASCII byte may be the tail of a character, so SQL would be read in two ways. */
const ENCODINGS = new Set(["utf8", "unicode", "sqlascii"]);

/** @returns the start-up as asked for, or why it is refused. */
export function readStartup(minor: number, parameters: ReadonlyMap<string, string>): Startup | Refusal {
  const settings = new Map<string, string>();
  const protocolOptions: string[] = [];
  let user = "";
  let database = "";
  for (const [name, value] of parameters) {
    if (name === "user") user = value;
    else if (name === "database") database = value;
    else if (name.startsWith("_pq_.")) protocolOptions.push(name);
    else if (name === "replication") {
      if (!["false", "off", "no", "0"].includes(value.toLowerCase())) return REPLICATION;
    } else if (name === "options") {
      const options = readOptions(value);
      if (!(options instanceof Map)) return options;
      for (const [key, setting] of options) settings.set(key, setting);
    } else settings.set(name, value);
  }
  for (const [name, value] of settings) {
    const refusal = judge(name.toLowerCase(), value);
    if (refusal) return refusal;
  }
  // A client that names no database means the one of its user, which here is a token.
  return { minor, user, database: database === user ? "" : database, settings, protocolOptions };
}

function judge(name: string, value: string): Refusal | null {
  // As they are set upstream, whoever asks.
  if (name === "standard_conforming_strings" && /^(on|true|yes|1)$/i.test(value)) return null;
  if (name === "transform_null_equals" && /^(off|false|no|0)$/i.test(value)) return null;
  if (!HARMLESS.has(name)) {
    return {
      code: "unsupported",
      message: `the start-up setting "${name}" is not passed on`,
      hint: "Leave it out of the connection's settings, or set it in the session, where a policy decides.",
    };
  }
  if (name === "client_encoding" && !ENCODINGS.has(value.toLowerCase().replace(/[^a-z0-9]/g, ""))) {
    return {
      code: "unsupported",
      message: `the client encoding "${value}" is not supported`,
      hint: "Use UTF8: PGCLIENTENCODING=UTF8 or client_encoding=UTF8.",
    };
  }
  return null;
}

const REPLICATION: Refusal = {
  code: "unsupported",
  message: "replication connections are not carried",
  detail: "A replication stream is raw data that can be neither decided nor masked.",
};

const OPTIONS: Refusal = {
  code: "unsupported",
  message: 'the start-up parameter "options" holds something else than settings',
  hint: "Only -c name=value and --name=value are understood.",
};

/** `-c name=value` and `--name=value`; a backslash takes the next character as it is (pg_split_opts). */
function readOptions(text: string): Map<string, string> | Refusal {
  const words: string[] = [];
  for (const match of text.matchAll(/(?:\\[\s\S]|[^\s\\])+/g)) words.push(match[0].replace(/\\([\s\S])/g, "$1"));
  const settings = new Map<string, string>();
  while (words.length > 0) {
    let word = words.shift() as string;
    if (word === "-c") word = words.shift() ?? "";
    else if (word.startsWith("--")) word = word.slice(2);
    else if (word.startsWith("-c")) word = word.slice(2);
    else return OPTIONS;
    const at = word.indexOf("=");
    if (at <= 0) return OPTIONS;
    settings.set(word.slice(0, at).replaceAll("-", "_"), word.slice(at + 1));
  }
  return settings;
}
