import { randomFillSync } from 'node:crypto';
import { v7, validate } from 'uuid';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** The id of a user, which is also the id of the account that is locked. */
export type UserId = Branded<'UserId'>;
export type LotId = Branded<'LotId'>;

/** Makes a UUID version 7. Within this process, ids are ordered by their creation. */
export const newId = (): string => {
  const random = nextRandom();
  const now = Date.now();
  if (now > newest.msecs) newest = { msecs: now, seq: random.readUInt32BE(6) >>> 1 };
  else if (newest.seq < LAST_SEQ) newest.seq += 1;
  else newest = { msecs: newest.msecs + 1, seq: 0 };
  return v7({ random, ...newest });
};

/** A new id, branded as that of a user. */
export const newUserId = (): UserId => asUserId(newId());

/** A new id, branded as that of a lot. */
export const newLotId = (): LotId => asLotId(newId());

/** The last sequence number within a millisecond. When it is used up, ids take the next millisecond. */
const LAST_SEQ = 0xffff_ffff;
let newest = { msecs: -Infinity, seq: 0 };

/** Random bytes are fetched for many ids at once, because a system call costs as much as about twenty ids. */
const RANDOM_BYTES = 16;
const pool = Buffer.allocUnsafeSlow(512 * RANDOM_BYTES);
let taken = pool.length;

function nextRandom(): Buffer {
  if (taken === pool.length) {
    randomFillSync(pool);
    taken = 0;
  }
  taken += RANDOM_BYTES;
  return pool.subarray(taken - RANDOM_BYTES, taken);
}

/** Brands the id of a row. It was validated when the row was written. */
export const asUserId = (id: string): UserId => id as UserId;

/** Brands the id of a lot, as `asUserId` does that of a user. */
export const asLotId = (id: string): LotId => id as LotId;

/** A key for a Map, a Set or a loader, made of all key columns of a row. It is never stored. */
export type RowKey = Branded<'RowKey'>;

/** No column of the database contains this character, so different columns never make the same key. */
const BETWEEN_COLUMNS = '\0';

/** The key of these columns. Null and the empty text are the same column. */
export const rowKey = (...columns: readonly (string | number | null)[]): RowKey =>
  columns.map((column) => column ?? '').join(BETWEEN_COLUMNS) as RowKey;

/** The columns of a key, as texts. */
export const columnsOf = (key: RowKey): string[] => key.split(BETWEEN_COLUMNS);

/** The lowest and the highest id, where walks over all ids begin and end. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000';
export const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The UUID of 32 hexadecimal digits. */
export const idOfHex = (hex: string): string =>
  hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** The lowest UUID version 7 of this time. */
export const firstIdOf = (time: Date): string =>
  idOfHex(`${time.getTime().toString(16).padStart(12, '0')}7000${'8'.padEnd(16, '0')}`);

/** Whether a text is a UUID. Any other text identifies nothing, and the database would refuse it. */
export const isId = (value: string): boolean => validate(value);
