import type {
  DataFields,
  KeyGenerator,
  ResolverConfig,
  UpdatesConfig,
} from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';

/** These objects have no id, and belong to the object that they were read with. */
const EMBEDDED = [
  'AudioConnection',
  'AudioEdge',
  'AudioQuote',
  'BalancePoint',
  'CreditAllocation',
  'CreditLotConnection',
  'CreditLotEdge',
  'CreditStatement',
  'CreditTransactionConnection',
  'CreditTransactionEdge',
  'CreditsBySource',
  'ExpiringCredits',
  'LanguageCount',
  'TagCount',
  'Listening',
  'NoticeConnection',
  'NoticeEdge',
  'PageInfo',
  'QuotedAllocation',
  'Settings',
  'SpokenSentence',
  'SpokenWord',
  'StoryConnection',
  'StoryEdge',
];

/** There is one object of this type: the points of the person who is signed in. An event about it updates every page. */
const mine = (_data: DataFields): string => 'mine';

export const keys: Record<string, KeyGenerator> = {
  ...Object.fromEntries(EMBEDDED.map((name) => [name, () => null])),
  Credits: mine,
};

/** What a mutation changes besides its answer. */
export const updates: UpdatesConfig = {
  Mutation: {
    deleteAudio: (_data, { id }, cache) => {
      if (typeof id === 'string') cache.invalidate({ __typename: 'Audio', id });
    },
  },
};

/** Lists that grow page by page: a query for a further page has all pages before it too. */
export const resolvers: ResolverConfig = {
  Query: {
    stories: relayPagination(),
    creditHistory: relayPagination(),
    creditLots: relayPagination(),
  },
  User: { audio: relayPagination(), creditHistory: relayPagination() },
};
