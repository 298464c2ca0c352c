import type { Refusal, ResourcePart } from "#commands";
import { createUnderstander, parseSearchPath, type Understander } from "#sql";
import type { OpenSession, Semantics, SemanticsParts, SessionSemantics } from "../semantics.js";
import { readCatalog } from "./catalog-reader.js";
import { DisplacedNames } from "./displaced-names.js";
import { ResourceCatalogs } from "./resource-catalogs.js";
import { SqlSession } from "./sql-session.js";
import { TermsOfVerdicts } from "./terms.js";
import { UnmatchedLabels } from "./unmatched-labels.js";

/** PostgreSQL's SQL: understood by its own parser, with the names of the resource's catalog. */
export class SqlSemantics implements Semantics {
  readonly #catalogs: ResourceCatalogs;
  readonly #understander: Understander = createUnderstander();
  readonly #terms: TermsOfVerdicts;
  readonly #unmatched: UnmatchedLabels;
  readonly #displaced = new DisplacedNames();

  constructor(private readonly parts: SemanticsParts) {
    this.#catalogs = new ResourceCatalogs(parts.clock, parts.log, (resource, before) =>
      readCatalog(resource, parts.upstreams, before),
    );
    this.#terms = new TermsOfVerdicts(this.#catalogs, parts.hashKey);
    this.#unmatched = new UnmatchedLabels(parts.recorder, parts.log);
  }

  refusesSettings(settings: ReadonlyMap<string, string>): Refusal | null {
    for (const [setting, value] of settings) {
      if (setting.toLowerCase() === "search_path" && !parseSearchPath(value)) {
        return {
          code: "unsupported",
          message: `The start-up setting search_path is not a list of schemas: ${value}`,
        };
      }
    }
    return null;
  }

  async prepare(resource: ResourcePart): Promise<void> {
    const { catalog } = await this.#catalogs.get(resource);
    this.#unmatched.report(this.parts.policy.current!.bundle, resource.name, catalog);
  }

  renew(resource: ResourcePart): void {
    this.#catalogs.renew(resource);
  }

  open(session: OpenSession): SessionSemantics {
    const { clock, log, resourceChanged } = this.parts;
    return new SqlSession(session, {
      understander: this.#understander,
      catalogs: this.#catalogs,
      terms: this.#terms,
      displaced: this.#displaced,
      clock,
      log,
      resourceChanged,
    });
  }

  close(): Promise<void> {
    this.#catalogs.close();
    return this.#understander.close();
  }
}
