import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CliFailure, EXIT } from "./failure.js";

/** How a workload identity is got: OAuth 2.0 client credentials (RFC 6749 section 4.4) at an issuer. */
export interface Identity {
  readonly token_endpoint: string;
  readonly client_id: string;
  readonly client_secret: string;
  readonly audience?: string;
  /** RFC 8707. */
  readonly resource?: string;
  readonly scope?: string;
}

/** `cli.json`. */
interface SettingsFile {
  readonly api?: string;
  readonly key?: string;
  readonly identities?: Readonly<Record<string, Identity>>;
}

export interface Settings {
  readonly api: string;
  /** Undefined where no key is known; commands that need none work without. */
  readonly key: string | undefined;
  /** Where the key comes from: a variable or a file. */
  readonly keyFrom: string;
  /** The API that the file's key is for, where it is another one; else empty. */
  readonly keyIsFor: string;
  readonly identities: Readonly<Record<string, Identity>>;
  /** The file they come from; empty where there is none. */
  readonly file: string;
}

const DEFAULT_API = "http://127.0.0.1:7070";

/** The command line first, then the environment, then the nearest `cli.json`. @throws CliFailure */
export function readSettings(options: { api?: string | undefined }, env: NodeJS.ProcessEnv, cwd: string): Settings {
  const file = findFile(env, cwd);
  const content = file === "" ? {} : readPrivate(file);
  const api = options.api ?? env.COUNTERFOIL_API ?? content.api ?? DEFAULT_API;
  if (!URL.canParse(api) || !/^https?:$/.test(new URL(api).protocol)) {
    throw new CliFailure(`${api} is not the API's address`, EXIT.usage, `Give an http(s) URL, such as ${DEFAULT_API}.`);
  }
  // A key of a file is for that file's API: it must not leak to another one that is named on the command line.
  const own = content.api === undefined || sameOrigin(api, content.api) ? content.key : undefined;
  return {
    api: api.replace(/\/+$/, ""),
    key: env.COUNTERFOIL_KEY || own,
    keyFrom: env.COUNTERFOIL_KEY ? "COUNTERFOIL_KEY" : file,
    keyIsFor: content.key !== undefined && own === undefined ? (content.api ?? "") : "",
    identities: content.identities ?? {},
    file,
  };
}

function findFile(env: NodeJS.ProcessEnv, cwd: string): string {
  if (env.COUNTERFOIL_STATE) return fileOfState(env.COUNTERFOIL_STATE);
  const places: string[] = [];
  for (let folder = cwd; ; folder = dirname(folder)) {
    places.push(join(folder, ".counterfoil", "cli.json"));
    if (folder === dirname(folder)) break;
  }
  places.push(join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config"), "counterfoil", "cli.json"));
  return places.find((place) => existsSync(place)) ?? "";
}

/** Who names an installation means that one, never the next best. */
function fileOfState(state: string): string {
  const file = join(state, "cli.json");
  if (existsSync(file)) return file;
  const advice = "Name the folder that `npm start` made, as an absolute path, or unset it.";
  throw new CliFailure(`COUNTERFOIL_STATE is ${state}, but there is no ${file}`, EXIT.usage, advice);
}

/** A file with secrets is used only where nobody but its owner can read it. */
function readPrivate(file: string): SettingsFile {
  const { mode, uid } = statSync(file);
  if (process.platform !== "win32") {
    if ((mode & 0o077) !== 0) {
      const says = `${file} can be read by others (mode ${(mode & 0o777).toString(8)})`;
      throw new CliFailure(says, EXIT.failed, `It holds keys: chmod 600 ${file}`);
    }
    const self = process.getuid?.();
    if (self !== undefined && self !== 0 && uid !== self && uid !== 0) {
      throw new CliFailure(`${file} belongs to another user`, EXIT.failed, "Use a file of your own.");
    }
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CliFailure(`${file} cannot be read: ${(error as Error).message}`, EXIT.failed, "Correct or remove it.");
  }
  if (!isSettings(content)) {
    throw new CliFailure(`${file} is not like {"api": "…", "key": "…", "identities": {…}}`, EXIT.failed, "Correct it.");
  }
  return content;
}

function isSettings(content: unknown): content is SettingsFile {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return false;
  const { api, key, identities } = content as Record<string, unknown>;
  const text = (value: unknown) => value === undefined || typeof value === "string";
  return (
    text(api) && text(key) && (identities === undefined || (typeof identities === "object" && identities !== null))
  );
}

const sameOrigin = (a: string, b: string) => URL.canParse(b) && new URL(a).origin === new URL(b).origin;
