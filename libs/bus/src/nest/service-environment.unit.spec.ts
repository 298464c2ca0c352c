import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyedServiceEnvironment, readEnvironment, WholeNumber } from "./service-environment.js";

class Example extends KeyedServiceEnvironment {
  @WholeNumber(5, 100) readonly COUNTERFOIL_EXAMPLE_SECONDS: number = 15;
}

const right = {
  COUNTERFOIL_DATABASE_URL: "postgres://u:p@127.0.0.1:5432/counterfoil",
  COUNTERFOIL_NATS_URL: "nats://127.0.0.1:4222",
  COUNTERFOIL_KEYS: "/var/lib/counterfoil/keys",
};

test("what is right is read, defaults where nothing is said", () => {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-test-environment-"));
  try {
    const path = join(folder, "example.creds");
    writeFileSync(path, "the credentials");
    const read = readEnvironment(Example, { ...right, COUNTERFOIL_NATS_CREDENTIALS: path, PATH: "/bin" });
    expect(read.bus("example")).toEqual({
      url: right.COUNTERFOIL_NATS_URL,
      name: "example",
      credentials: "the credentials",
    });
    expect(read.COUNTERFOIL_DATABASE_URL).toBe(right.COUNTERFOIL_DATABASE_URL);
    expect(read.keys).toBe(right.COUNTERFOIL_KEYS);
    expect(read.COUNTERFOIL_EXAMPLE_SECONDS).toBe(15);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  [{ COUNTERFOIL_NATS_CREDENTIALS: "" }, { url: right.COUNTERFOIL_NATS_URL, name: "x" }],
  [{ COUNTERFOIL_NATS_URL: "nats://a:1,tls://b:2" }, { url: "nats://a:1,tls://b:2", name: "x" }],
])("%j is right too", (change, bus) => {
  expect(readEnvironment(Example, { ...right, ...change }).bus("x")).toEqual(bus);
});

test("a number is a number", () => {
  expect(readEnvironment(Example, { ...right, COUNTERFOIL_EXAMPLE_SECONDS: "20" }).COUNTERFOIL_EXAMPLE_SECONDS).toBe(
    20,
  );
});

test.each([
  ["COUNTERFOIL_DATABASE_URL", "mysql://u:secret@127.0.0.1"],
  ["COUNTERFOIL_DATABASE_URL", undefined],
  ["COUNTERFOIL_NATS_URL", "127.0.0.1:4222"],
  ["COUNTERFOIL_NATS_URL", undefined],
  ["COUNTERFOIL_NATS_CREDENTIALS", "/nowhere/example.creds"],
  ["COUNTERFOIL_NATS_CREDENTIALS", tmpdir()],
  ["COUNTERFOIL_KEYS", ""],
  ["COUNTERFOIL_EXAMPLE_SECONDS", "4"],
  ["COUNTERFOIL_EXAMPLE_SECONDS", "101"],
  ["COUNTERFOIL_EXAMPLE_SECONDS", "15s"],
  ["COUNTERFOIL_EXAMPLE_SECONDS", "7.5"],
])("names %s when it is %j, and nothing else", (name, value) => {
  const error = errorOf({ ...right, [name]: value });
  expect(error.match(/COUNTERFOIL_\w+ must be/g)).toEqual([`${name} must be`]);
  expect(error).not.toContain("secret");
});

test("names all that are wrong at once, a line each", () => {
  const lines = errorOf({ COUNTERFOIL_NATS_CREDENTIALS: "/nowhere" }).split("\n");
  expect(lines).toHaveLength(5);
});

function errorOf(environment: NodeJS.ProcessEnv): string {
  try {
    readEnvironment(Example, environment);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was right");
}
