import { v7, validate } from 'uuid';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** The person, and so also the account that is locked. */
export type UserId = Branded<'UserId'>;
export type LotId = Branded<'LotId'>;

/** UUID version 7: its order is the order in which it was made, within this process. */
export const newId = (): string => v7();
export const newUserId = (): UserId => v7() as UserId;
export const newLotId = (): LotId => v7() as LotId;

/** Ids of rows were checked when they were written; this only names what they are. */
export const asUserId = (id: string): UserId => id as UserId;
export const asLotId = (id: string): LotId => id as LotId;

/** No id comes before it or behind it: where walks through all of them begin and end. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000';
export const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Of 32 hexadecimal digits. */
export const idOfHex = (hex: string): string =>
  hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** What is not a UUID cannot be the id of anything, and the database would not take it. */
export const isId = (value: string): boolean => validate(value);
