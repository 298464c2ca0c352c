import {
  type BundleContent,
  type HostPart,
  type LabelPart,
  type PolicyPart,
  type ResourcePart,
  TARGET_SESSION_ATTRS,
} from "#commands";

/** A bundle that is not what it says it is, or not in a shape this version knows. */
export class BundleRefused extends Error {
  override readonly name = "BundleRefused";
}

/** The parts of a bundle, by name, as JSON in UTF-8: what is hashed, signed and sent. */
export function writeParts(content: BundleContent): readonly { readonly name: string; readonly content: Uint8Array }[] {
  const { policies, labels, resources } = content;
  return Object.entries({ policies, labels, resources }).map(([name, value]) => ({
    name,
    content: new Uint8Array(Buffer.from(JSON.stringify(value), "utf8")),
  }));
}

/**
 * Reads the parts back. Fields this version does not know are ignored; a field it needs and does not find, or a value
 * it does not know, refuses the bundle: a guess could open something.
 * @throws BundleRefused
 */
export function readParts(parts: ReadonlyMap<string, Uint8Array>): BundleContent {
  const list = (name: string): readonly Item[] => {
    const bytes = parts.get(name);
    if (!bytes) throw new BundleRefused(`the bundle has no part ${name}`);
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new BundleRefused(`part ${name} of the bundle is not JSON`, { cause });
    }
    return new Item(name, { [name]: value }).items(name);
  };
  return {
    policies: list("policies").map(readPolicy),
    labels: list("labels").map(readLabel),
    resources: list("resources").map(readResource),
  };
}

const readPolicy = (item: Item): PolicyPart => ({ name: item.text("name"), text: item.text("text") });

function readLabel(item: Item): LabelPart {
  const transform = item.item("transform");
  return {
    name: item.text("name"),
    columns: item.items("columns").map((column) => ({
      resource: column.text("resource"),
      schema: column.text("schema"),
      table: column.text("table"),
      column: column.text("column"),
    })),
    transform: {
      kind: transform.one("kind", ["redact", "null", "partial", "hash", "fixed"]),
      options: transform.texts("options"),
    },
  };
}

function readResource(item: Item): ResourcePart {
  const upstream = item.item("upstream");
  const credential = item.item("credential");
  return {
    name: item.text("name"),
    protocol: item.text("protocol"),
    upstream: {
      hosts: readHosts(upstream),
      targetSessionAttrs: upstream.one("targetSessionAttrs", TARGET_SESSION_ATTRS),
      database: upstream.text("database"),
      tls: upstream.one("tls", ["disable", "require", "verify-full"]),
      ca: upstream.text("ca"),
    },
    credential: { username: credential.text("username"), password: credential.text("password") },
    reads: item.one("reads", ["os", "disk"]),
  };
}

function readHosts(upstream: Item): readonly HostPart[] {
  const hosts = upstream.items("hosts").map((item) => ({ host: item.text("host"), port: item.number("port") }));
  if (hosts.length === 0) throw new BundleRefused("a resource of the bundle has no host");
  return hosts;
}

/** An object of unknown shape, read field by field. */
class Item {
  readonly #fields: Record<string, unknown>;

  constructor(
    private readonly path: string,
    value: unknown,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.#wrong(path, "an object");
    this.#fields = value as Record<string, unknown>;
  }

  text(field: string): string {
    const value = this.#fields[field];
    if (typeof value !== "string") throw this.#wrong(`${this.path}.${field}`, "a text");
    return value;
  }

  number(field: string): number {
    const value = this.#fields[field];
    if (!Number.isSafeInteger(value)) throw this.#wrong(`${this.path}.${field}`, "a whole number");
    return value as number;
  }

  one<const T extends string>(field: string, known: readonly T[]): T {
    const value = this.text(field);
    const found = known.find((name) => name === value);
    if (found === undefined) throw this.#wrong(`${this.path}.${field}`, `one of ${known.join(", ")}`);
    return found;
  }

  item(field: string): Item {
    return new Item(`${this.path}.${field}`, this.#fields[field]);
  }

  items(field: string): readonly Item[] {
    const value = this.#fields[field];
    if (!Array.isArray(value)) throw this.#wrong(`${this.path}.${field}`, "a list");
    return value.map((entry, at) => new Item(`${this.path}.${field}[${at}]`, entry));
  }

  texts(field: string): Readonly<Record<string, string>> {
    const inner = this.item(field);
    return Object.fromEntries(Object.keys(inner.#fields).map((name) => [name, inner.text(name)]));
  }

  #wrong(path: string, expected: string): BundleRefused {
    return new BundleRefused(`${path} of the bundle must be ${expected}`);
  }
}
