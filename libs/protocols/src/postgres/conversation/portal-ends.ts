import type { Names } from "./names.js";
import type { Portal } from "./statements.js";

/** What ends no transaction, whatever surrounds it. The first by far is most of what there is. */
const endsNone = (tag: string) =>
  tag.startsWith("SELECT ") || /^(SELECT|INSERT|UPDATE|DELETE|MERGE|FETCH|COPY|SET|SHOW)\b/.test(tag);

/** A statement that is complete, as its CommandComplete and its text say. */
export interface Completed {
  readonly tag: string;
  readonly text: string;
  /** No transaction was open when the server last said so. */
  readonly idle: boolean;
}

/**
 * Says which portals a statement has ended, by the end of their transaction or by SQL's own words. One that is no more has
 * to be forgotten at once, or what a function opens by its name is taken for it. The server tells little, so rather too
 * many are forgotten: what is still there is then asked about as a cursor.
 */
export class PortalEnds {
  /** The open transaction has had one: then ROLLBACK is also the tag of ROLLBACK TO, which spares what was there before. */
  #savepoint = false;

  /** @param portals all there are now. @returns null where all are left. */
  after(completed: Completed, portals: Pick<Names<Portal>, "forEach">): ((portal: Portal) => boolean) | null {
    const { tag } = completed;
    if (endsNone(tag)) return null;
    if (this.#isEnd(completed)) {
      this.#savepoint = false;
      return () => true;
    }
    if (tag === "ROLLBACK") return (portal) => !portal.beforeSavepoints;
    if (tag === "SAVEPOINT" && !this.#savepoint) {
      this.#savepoint = true;
      portals.forEach((portal) => {
        portal.beforeSavepoints = true;
      });
    }
    return null;
  }

  /** No transaction is open any more. */
  idle(): void {
    this.#savepoint = false;
  }

  #isEnd({ tag, text, idle }: Completed): boolean {
    switch (tag) {
      case "COMMIT":
      case "PREPARE TRANSACTION":
      case "DECLARE CURSOR":
      case "CLOSE CURSOR":
      case "CLOSE CURSOR ALL":
        return true;
      case "ROLLBACK":
        return !this.#savepoint || /\bchain\b/i.test(text);
      case "BEGIN":
      case "START TRANSACTION":
        // What it begins behind may have been a ROLLBACK that looked like a ROLLBACK TO.
        return this.#savepoint;
      default:
        // A transaction of its own, or code that may end one.
        return idle && tag !== "SAVEPOINT";
    }
  }
}
