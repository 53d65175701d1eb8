import { z } from 'zod';
import type { App } from '../app.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import { repeatedUser, unknownUser, type BulkSkip } from '../desk/bulk-skips.js';
import { spellingOf } from '../../domain/inboxes.js';
import type { LotPrice } from '../../domain/ledger/lots.js';
import { isCleanText } from '../../domain/text.js';
import { points, priceFields } from '../validation.js';
import { readByIdOrAddress } from './bulk-grant.sql.js';

/** A row of a bulk grant: a user, by id or by e-mail address, with points and their price. */
export const namedRow = z.object({
  userId: z.string().nullish(),
  email: z.string().nullish(),
  amount: points(1, 1_000_000),
  ...priceFields,
});
export type NamedRow = z.input<typeof namedRow>;

export interface Recipient extends LotPrice {
  /** The index of the row. */
  readonly row: number;
  readonly userId: UserId;
  readonly amount: number;
}

export interface Recipients {
  readonly recipients: Recipient[];
  readonly skipped: BulkSkip[];
}

const addressOf = (row: NamedRow): string | null =>
  row.email == null ? null : spellingOf(row.email);

/** Finds the users of the rows. Rows that name no user, or that name a user again, are skipped. */
export async function findRecipients(app: App, rows: readonly NamedRow[]): Promise<Recipients> {
  const people = await lookUp(app, rows);
  const recipients: Recipient[] = [];
  const skipped: Recipients['skipped'] = [];
  const firstRowOf = new Map<string, number>();
  rows.forEach((row, index) => {
    const found = personOf(row, people);
    const earlier = found.id === undefined ? undefined : firstRowOf.get(found.id);
    if (found.id === undefined) skipped.push(unknownUser(index, found.reason));
    else if (earlier !== undefined) skipped.push(repeatedUser(index, earlier));
    else {
      firstRowOf.set(found.id, index);
      const { amount, priceMinor = null, currency = null } = row;
      recipients.push({ row: index, userId: asUserId(found.id), amount, priceMinor, currency });
    }
  });
  return { recipients, skipped };
}

interface People {
  readonly ids: ReadonlySet<string>;
  readonly idByAddress: ReadonlyMap<string, string>;
}

async function lookUp(app: App, rows: readonly NamedRow[]): Promise<People> {
  const ids = rows.flatMap(({ userId }) =>
    userId != null && isId(userId) ? [userId.toLowerCase()] : [],
  );
  const addresses = rows.flatMap((row) => {
    const address = addressOf(row);
    return address !== null && isCleanText(address) ? [address] : [];
  });
  const found = await readByIdOrAddress(app.db, { ids, addresses });
  return {
    ids: new Set(found.map(({ id }) => id)),
    idByAddress: new Map(found.map(({ id, email }) => [email, id])),
  };
}

type Found = { readonly id: string } | { readonly id: undefined; readonly reason?: string };

function personOf(row: NamedRow, people: People): Found {
  const address = addressOf(row);
  const id = row.userId?.toLowerCase() ?? null;
  if (id === null && address === null)
    return { id: undefined, reason: 'Neither userId nor email is given.' };
  const byAddress = address === null ? undefined : people.idByAddress.get(address);
  if (id !== null && address !== null && id !== byAddress)
    return { id: undefined, reason: 'userId and email are not the same user.' };
  const found = id === null ? byAddress : people.ids.has(id) ? id : undefined;
  return found === undefined ? { id: undefined } : { id: found };
}
