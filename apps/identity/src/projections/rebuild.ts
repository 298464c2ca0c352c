import type { DataSource, EntityManager } from "typeorm";
import { type EventStore, type RecordedEvent, readLog } from "#event-store";
import type { AdminKeyEvent } from "../domain/admin-key.js";
import type { EnforcerEvent } from "../domain/enforcer.js";
import type { IssuerEvent } from "../domain/issuer.js";
import { AdminKeys } from "./admin-keys.js";
import { Enforcers } from "./enforcers.js";
import { Issuers } from "./issuers.js";

/** Makes the read models anew from the log, in one transaction; writers wait for it. */
export function rebuildIdentity(store: EventStore, dataSource: DataSource): Promise<void> {
  return dataSource.transaction(async (tx) => {
    await tx.query("LOCK TABLE identity.issuer, identity.admin_key, identity.enforcer IN SHARE ROW EXCLUSIVE MODE");
    for (const table of ["issuer", "admin_key", "enforcer"]) await tx.query(`DELETE FROM identity.${table}`);
    const project = projectorOf(dataSource);
    for await (const recorded of readLog(store)) await project(tx, recorded);
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
