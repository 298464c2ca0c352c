import type { DataSource, EntityManager } from "typeorm";
import type { EventStore, RecordedEvent } from "#event-store";
import type { AdminKeyEvent } from "../domain/admin-key.js";
import type { EnforcerEvent } from "../domain/enforcer.js";
import type { IssuerEvent } from "../domain/issuer.js";
import { AdminKeys } from "./admin-keys.js";
import { Enforcers } from "./enforcers.js";
import { Issuers } from "./issuers.js";

const BATCH = 1000;

/** Makes the read models anew from the log, in one transaction; writers wait for it. */
export function rebuild(dataSource: DataSource, store: EventStore): Promise<void> {
  return dataSource.transaction(async (tx) => {
    await tx.query("LOCK TABLE identity.issuer, identity.admin_key, identity.enforcer IN SHARE ROW EXCLUSIVE MODE");
    for (const table of ["issuer", "admin_key", "enforcer"]) await tx.query(`DELETE FROM identity.${table}`);
    const project = projectorOf(dataSource);
    for (let after = 0; ; ) {
      const events = await store.readAll(after, BATCH);
      for (const event of events) await project(tx, event);
      if (events.length === 0) return;
      after = events.at(-1)?.position ?? after;
    }
  });
}

function projectorOf(dataSource: DataSource) {
  const [issuers, adminKeys, enforcers] = [
    new Issuers(dataSource),
    new AdminKeys(dataSource),
    new Enforcers(dataSource),
  ];
  return async (tx: EntityManager, recorded: RecordedEvent): Promise<void> => {
    switch (recorded.streamType) {
      case "issuer":
        return issuers.project(tx, recorded as RecordedEvent<IssuerEvent>);
      case "admin_key":
        return adminKeys.project(tx, recorded as RecordedEvent<AdminKeyEvent>);
      case "enforcer":
        return enforcers.project(tx, recorded as RecordedEvent<EnforcerEvent>);
    }
  };
}
