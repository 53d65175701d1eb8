/** Clients and transactions whose database is distributed over several servers. */
const distributed = new WeakSet();

/** Notes that the tables of users are distributed, for a client and all its transactions. */
export function markDistributed(db: object): void {
  distributed.add(db);
}

/** @param db a client or a transaction */
export const isDistributed = (db: object): boolean => distributed.has(db);

/** Lets a transaction know what its client knows. */
export function inheritPlacement(db: object, tx: object): void {
  if (distributed.has(db)) distributed.add(tx);
}
