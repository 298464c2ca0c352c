import { createRequire, Module } from "node:module";
import { setFlagsFromString } from "node:v8";

type Cedar = typeof import("@cedar-policy/cedar-wasm/nodejs");

/** The engine itself gave up, as it does on expressions nested too deeply. */
export class CedarFailure extends Error {
  override readonly name = "CedarFailure";
}

/**
 * Cedar's WebAssembly build. An instance that has overflowed its stack stays broken, so after any exception it is
 * thrown away and the next use loads a fresh one (about 10 ms).
 */
class CedarEngine {
  #instance: Cedar | null = null;
  #generation = 0;
  #nextSlot = 0;
  readonly #freeSlots: string[] = [];

  /** Rises when an instance is replaced: what was prepared before is gone. */
  get generation(): number {
    return this.#generation;
  }

  run<T>(use: (cedar: Cedar) => T): T {
    this.#instance ??= load();
    try {
      return use(this.#instance);
    } catch (cause) {
      this.#instance = null;
      this.#generation += 1;
      throw new CedarFailure("the policy engine failed and was replaced", { cause });
    }
  }

  /**
   * A name for a prepared policy set. The engine offers no way to remove one, only to put another under its name, so
   * names are used again and memory stays at its high-water mark.
   */
  takeSlot(): string {
    return this.#freeSlots.pop() ?? `s${this.#nextSlot++}`;
  }

  returnSlot(slot: string): void {
    this.run((cedar) => cedar.preparsePolicySet(slot, { staticPolicies: {} }));
    this.#freeSlots.push(slot);
  }
}

export const engine = new CedarEngine();

/** A module object of its own, beside the loader's cache, so that loading again makes another instance. */
function load(): Cedar {
  tuneOlderV8();
  const path = createRequire(import.meta.url).resolve("@cedar-policy/cedar-wasm/nodejs");
  const fresh = new Module(path) as Module & { load(path: string): void };
  fresh.load(path);
  return fresh.exports as Cedar;
}

/**
 * V8 before 13 ends the process ("Fatal error … unreachable code", Deoptimizer::DoComputeBuiltinContinuation) where code
 * into which it has inlined a call of WebAssembly that gives an object is given up during that call. Ours gives objects.
 *
 * And it compiles a function of WebAssembly anew, optimised, once that has run for a moment. In an engine that has just read
 * its policies those are the largest of all, of the grammar: on other threads 0.6 s and 15 MB that are never given back, at
 * each start, and questions are answered no sooner for it (newer versions wait longer by themselves).
 */
function tuneOlderV8(): void {
  if (Number.parseInt(process.versions.v8, 10) >= 13) return;
  setFlagsFromString("--no-turbo-inline-js-wasm-calls");
  setFlagsFromString("--wasm-tiering-budget=100000000");
}
