import type { UserId } from '../../domain/ids.js';
import type { Book } from '../../domain/ledger/book.js';
import type { Tx } from '../../infra/db.js';
import { openBooks, saveBooks, type OpenBooks } from './books.js';
import { ABSENT, answer, HELD, type Settle } from './commit/settlement.js';

/**
 * Makes the settler of a command: lock the accounts, read, decide each request in memory, write.
 * @param load reads what the decisions need, under the locks of the accounts in `open`
 * @param decide decides one request in its book; throws a refusal, which is the answer to this request alone; returns
 * HELD when another transaction holds a row that the request needs besides its account
 * @param write writes what belongs to the decisions and is not in the books, in the same transaction
 */
export const settling =
  <Request extends { readonly userId: UserId }, Loaded, Result>(
    load: (
      tx: Tx,
      open: OpenBooks,
      requests: readonly Request[],
      options: { readonly wait: boolean },
    ) => Promise<Loaded>,
    decide: (book: Book, request: Request, loaded: Loaded, open: OpenBooks) => Result | typeof HELD,
    write?: (tx: Tx, loaded: Loaded) => Promise<void>,
  ): Settle<Request, Result> =>
  async (tx, requests, options) => {
    const users = requests.map((request) => request.userId);
    const open = await openBooks(tx, users, options);
    const loaded = await load(tx, open, requests, options);
    const settlements = requests.map((request) => {
      const book = open.books.get(request.userId);
      if (book === undefined) return open.held.has(request.userId) ? HELD : ABSENT;
      return answer(book, () => decide(book, request, loaded, open));
    });
    await saveBooks(tx, open);
    await write?.(tx, loaded);
    return settlements;
  };
