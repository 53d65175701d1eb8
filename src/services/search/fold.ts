import type { App } from '../app.js';
import { FIRST_ID } from '../../domain/ids.js';
import { foldText, firstCodePoints } from '../../domain/text.js';
import type { Db } from '../../infra/db.js';
import { readUnfolded, writeFolded, type Subject } from './search.sql.js';

/** Bounds the memory of a batch and the duration of its statement. */
const ROWS_AT_ONCE = 1_000;

/** In Unicode code points. The index has no room for longer keys. */
const TITLE_KEY_LENGTH_MAX = 200;

type Writer = Pick<Db, '$queryRaw' | '$executeRaw'>;

/** Writes search texts. No other code does. @returns the ids of the rows that were not folded */
async function foldBatch(
  db: Writer,
  subject: Subject,
  wanted: Parameters<typeof readUnfolded>[2],
): Promise<string[]> {
  const rows = await readUnfolded(db, subject, wanted);
  if (rows.length === 0) return [];
  const folded = rows.map((row) => ({
    ...row,
    folded: foldText(row.words),
    titleKey: firstCodePoints(foldText(row.title), TITLE_KEY_LENGTH_MAX),
  }));
  await writeFolded(db, subject, folded);
  return rows.map(({ id }) => id);
}

/** Folds a row after it was written, in the same transaction if there is one. */
export async function foldNow(db: Writer, subject: Subject, id: string): Promise<void> {
  await foldBatch(db, subject, { id });
}

/**
 * Folds a batch of rows that other programs have written since the start. A database that is read-only is searched as
 * it is.
 */
export async function foldBeforeSearch(
  { db, log }: Pick<App, 'db' | 'log'>,
  subject: Subject,
): Promise<void> {
  try {
    await foldBatch(db, subject, { after: FIRST_ID, limit: ROWS_AT_ONCE });
  } catch (error) {
    log.warn(
      { event: 'search-texts-not-folded', err: error, subject },
      'search texts were not folded',
    );
  }
}

/**
 * Folds the rows of earlier releases before this process serves requests. Several processes may do so at once. After a
 * failure, searches fold the rest.
 * @returns the number of rows
 */
export async function foldAll({ db, log }: Pick<App, 'db' | 'log'>): Promise<number> {
  let rows = 0;
  try {
    for (const subject of ['stories', 'users'] as const) {
      for (let after: string | undefined = FIRST_ID; after !== undefined;) {
        const ids: string[] = await foldBatch(db, subject, { after, limit: ROWS_AT_ONCE });
        rows += ids.length;
        after = ids.at(-1);
      }
    }
  } catch (error) {
    log.warn({ event: 'search-texts-not-folded', err: error }, 'search texts were not folded');
  }
  if (rows > 0) log.info({ event: 'search-texts-folded', rows }, 'search texts folded');
  return rows;
}
