import { MemoryEventStore, type MemoryTransaction } from "./memory-store.js";
import { eventStoreContract } from "./store.contract.js";

eventStoreContract("the in-memory store", async () => {
  const notes: string[] = [];
  return {
    store: new MemoryEventStore(),
    settle: async () => {},
    note: async (tx: MemoryTransaction, text) => tx.onCommit(() => notes.push(text)),
    notes: async () => notes,
    close: async () => {},
  };
});
