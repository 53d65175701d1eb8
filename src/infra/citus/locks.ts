import { Prisma } from '../db.js';
import { isDistributed } from './placement.js';

/**
 * The end of a sub-select of rows that a batch changes. It leaves out rows that another transaction has locked, except
 * where the rows are on several servers: there the sub-select can lock nothing, and the batch waits for such rows.
 */
export const skippingLocked = (db: object): Prisma.Sql =>
  isDistributed(db) ? Prisma.empty : Prisma.sql`FOR UPDATE SKIP LOCKED`;
