import type { ResourcePart } from "#commands";
import { EVERY_NAME } from "#sql";

const NONE: ReadonlySet<string> = new Set();

/**
 * Names that sessions have changed and that the catalog, as it is known, may be wrong about: from when the change leaves
 * until the catalog has been read behind the end of its transaction.
 */
export class DisplacedNames {
  readonly #by = new Map<string, Map<object, Set<string>>>();

  add(resource: ResourcePart, session: object, names: readonly string[]): void {
    if (names.length === 0) return;
    let sessions = this.#by.get(resource.name);
    if (!sessions) this.#by.set(resource.name, (sessions = new Map()));
    sessions.set(session, new Set([...(sessions.get(session) ?? []), ...names]));
  }

  clear(resource: ResourcePart, session: object): void {
    const sessions = this.#by.get(resource.name);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#by.delete(resource.name);
  }

  /** A session's own, and others' relations: a name it waits for is looked up when they are done. */
  seenBy(resource: ResourcePart, session: object): ReadonlySet<string> {
    const sessions = this.#by.get(resource.name);
    if (!sessions) return NONE;
    const names = [...sessions].flatMap(([by, its]) =>
      [...its].filter((name) => by === session || name !== EVERY_NAME),
    );
    return new Set(names);
  }
}
