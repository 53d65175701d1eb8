import DataLoader from 'dataloader';
import type { App } from '../services/app.js';
import { recordReads } from '../services/audit.js';
import { pendingEmails } from '../services/accounts/email-change/email-change.js';
import { usersById } from '../services/accounts/people.js';
import { recipientsByProposal } from '../services/credits/approvals/proposals.js';
import {
  allocationsByKey,
  audioTransactionsByKey,
  balancesBySource,
  ledgerKey,
  lotsByKey,
  transactionsByKey,
  type TransactionView,
} from '../services/credits/credits.js';
import { bookmarksByKey } from '../services/listening/bookmarks.js';
import { favouritesByKey } from '../services/listening/favourites.js';
import { listeningsByKey } from '../services/listening/listening.js';
import { audiosByKey, audiosByStory } from '../services/narrations/audios.js';
import { secondsByAudio, speedsByKey } from '../services/narrations/timeline/expected.js';
import { sentencesByKey } from '../services/narrations/timeline/sentences.js';
import { lastTransactionsByUser } from '../services/credits/past/series.js';
import { languagesOfLibrary, tagsOfLibrary } from '../services/settings/settings.js';
import { sessionsByKey } from '../services/sessions/devices.js';
import { storiesById } from '../services/stories/stories.js';
import { contentsByHash, textLengthsByHash } from '../services/stories/texts.js';
import { voicesById } from '../services/stories/voices.js';

/** Bounds the statement that a batch becomes. */
const AT_ONCE_MAX = 1000;

/** The only way for a field to read another table. It batches the look-ups of a request into one statement. */
function loaderOf<Value, Key extends string = string>(
  app: App,
  find: (app: App, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): DataLoader<Key, Value | undefined> {
  return new DataLoader(
    async (keys) => {
      const found = await find(app, keys);
      return keys.map((key) => found.get(key));
    },
    { maxBatchSize: AT_ONCE_MAX },
  );
}

/** Made for each request, so that nothing is remembered for another viewer. */
// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- the types follow from the services
export function createLoaders(app: App) {
  const loaders = {
    users: loaderOf(app, usersById),
    pendingEmails: loaderOf(app, pendingEmails),
    stories: loaderOf(app, storiesById),
    contents: loaderOf(app, contentsByHash),
    languages: loaderOf(app, languagesOfLibrary),
    tags: loaderOf(app, tagsOfLibrary),
    textLengths: loaderOf(app, textLengthsByHash),
    voices: loaderOf(app, voicesById),
    recipients: loaderOf(app, recipientsByProposal),
    // The keys of these are `ledgerKey(userId, …)`.
    sessions: loaderOf(app, sessionsByKey),
    audios: loaderOf(app, audiosByKey),
    storyAudios: loaderOf(app, audiosByStory),
    listenings: loaderOf(app, listeningsByKey),
    bookmarks: loaderOf(app, bookmarksByKey),
    favourites: loaderOf(app, favouritesByKey),
    lots: loaderOf(app, lotsByKey),
    transactions: loaderOf(app, transactionsByKey),
    allocations: loaderOf(app, allocationsByKey),
    audioTransactions: loaderOf(app, audioTransactionsByKey),
    balances: loaderOf(app, balancesBySource),
    lastTransactions: loaderOf(app, lastTransactionsByUser),
    // The keys are made by the services that find the values.
    sentences: loaderOf(app, sentencesByKey),
    audioSeconds: loaderOf(app, secondsByAudio),
    speeds: loaderOf(app, speedsByKey),
    // The keys are `readKey(read)`: each read of a request is noted once.
    reads: loaderOf(app, recordReads),
  };
  return {
    ...loaders,
    /** The transaction; null when there was none. */
    transactionOf: (userId: string, seq: number | null): Promise<TransactionView | null> =>
      seq === null
        ? Promise.resolve(null)
        : must(loaders.transactions.load(ledgerKey(userId, seq))),
    /** The row that a column without a foreign key refers to; null when it does not exist. */
    optional: <Value, Key extends string>(
      loader: DataLoader<Key, Value | undefined>,
      key: Key | null,
    ): Promise<Value | null> =>
      key === null ? Promise.resolve(null) : loader.load(key).then((value) => value ?? null),
  };
}

export type Loaders = ReturnType<typeof createLoaders>;

/** A row that must exist because of a foreign key or a rule of ours. @throws when it does not */
export async function must<Value>(loading: Promise<Value | undefined>): Promise<Value> {
  const value = await loading;
  if (value === undefined) throw new Error('A row that must exist does not.');
  return value;
}
