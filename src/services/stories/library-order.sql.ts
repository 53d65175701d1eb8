import { z } from 'zod';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { countCodePoints, isCleanText } from '../../domain/text.js';
import { Prisma } from '../../infra/db.js';
import { byId, keysetOf, type Keyset, type ListOrder } from '../keyset.sql.js';
import type { Story } from './stories.sql.js';

export const STORY_ORDERS = ['LIBRARY', 'TITLE', 'NEWEST', 'SHORTEST', 'LONGEST'] as const;
export type StoryOrder = (typeof STORY_ORDERS)[number];

/** The folded title, of which rows of other programs have none before the next search. Index: stories_published_title. */
export const TITLE_KEY = Prisma.sql`coalesce(s.title_key, left(s.search_text, 200), '')`;

/** One page of the library in one order. */
export interface Reading {
  readonly keyset: Keyset;
  readonly limit: number;
  /** @param rows at most `limit + 1` */
  readonly pageOf: (rows: readonly Story[]) => Page<Story>;
}

/** A cursor of one order is refused in another, because each order has its own kind of cursors. */
function readingOf<Key>(
  args: PageArguments,
  kind: string,
  key: z.ZodType<Key>,
  order: ListOrder<Key> & { readonly keyOf: (story: Story) => Key },
): Reading {
  const cursors = cursorsOf(kind, key);
  const window = windowOf(args, cursors);
  return {
    keyset: keysetOf(window, order),
    limit: window.limit,
    pageOf: (rows) => pageOf(rows, window, cursors, order.keyOf),
  };
}

const ID = Prisma.sql`s.id`;
const keyOfId = ({ id }: Story): string => id;

type LengthKey = [characterCount: number, id: string];
const lengthKey: z.ZodType<LengthKey> = z.tuple([
  z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  z.uuid(),
]);

/** Index: stories_published_length. */
const byLength = (
  direction: 'ascending' | 'descending',
): ListOrder<LengthKey> & { keyOf: (story: Story) => LengthKey } => ({
  columns: [Prisma.sql`s.character_count`, ID],
  direction,
  valuesOf: ([count, id]) => [Prisma.sql`${count}::int`, Prisma.sql`${id}::uuid`],
  keyOf: ({ characterCount, id }) => [characterCount, id],
});

type TitleKey = [title: string, id: string];
const titleKey: z.ZodType<TitleKey> = z.tuple([
  z.string().refine((text) => isCleanText(text) && countCodePoints(text) <= 200),
  z.uuid(),
]);

const BY_TITLE: ListOrder<TitleKey> & { keyOf: (story: Story) => TitleKey } = {
  columns: [TITLE_KEY, ID],
  direction: 'ascending',
  valuesOf: ([title, id]) => [Prisma.sql`${title}::text`, Prisma.sql`${id}::uuid`],
  keyOf: ({ titleKey: title, id }) => [title, id],
};

/** By id, which grows with time. Index: stories_published. */
const READINGS: Readonly<Record<StoryOrder, (args: PageArguments) => Reading>> = {
  LIBRARY: (args) =>
    readingOf(args, 'stories', z.uuid(), { ...byId(ID, 'ascending'), keyOf: keyOfId }),
  NEWEST: (args) =>
    readingOf(args, 'stories:NEWEST', z.uuid(), { ...byId(ID, 'descending'), keyOf: keyOfId }),
  TITLE: (args) => readingOf(args, 'stories:TITLE', titleKey, BY_TITLE),
  SHORTEST: (args) => readingOf(args, 'stories:SHORTEST', lengthKey, byLength('ascending')),
  LONGEST: (args) => readingOf(args, 'stories:LONGEST', lengthKey, byLength('descending')),
};

/** What to read for a page of the library. @throws BAD_USER_INPUT */
export const readingFor = (args: PageArguments, order: StoryOrder): Reading =>
  READINGS[order](args);
