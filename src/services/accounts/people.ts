import { z } from 'zod';
import type { App } from '../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { spellingOf } from '../../domain/inboxes.js';
import { isId } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { isCleanText } from '../../domain/text.js';
import { countRows } from '../counting.sql.js';
import { foldBeforeSearch, foldNow } from '../search/fold.js';
import { NOTICE_KINDS } from '../notices/notice-kinds.js';
import { language, optionalName, parseRequest, searchWords } from '../validation.js';
import { peopleQuery, readPeople, type UserView } from './people.sql.js';

/** The users with these ids, without their password hashes. An unknown id has no entry. */
export async function usersById(app: App, ids: readonly string[]): Promise<Map<string, UserView>> {
  const rows = await app.db.user.findMany({
    where: { id: { in: [...ids] } },
    omit: { passwordHash: true },
  });
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * One user, for administrators and auditors. @throws NOT_FOUND; BAD_USER_INPUT unless exactly one of the two is given
 */
export async function findUser(
  app: Pick<App, 'db'>,
  wanted: { id?: string | null; email?: string | null },
): Promise<UserView> {
  const { id = null, email = null } = wanted;
  if ((id === null) === (email === null)) throw badUserInput('id', 'give either id or email');
  if ((id !== null && !isId(id)) || (email !== null && !isCleanText(email))) throw notFound('user');
  const where = id === null ? { email: spellingOf(email ?? '') } : { id };
  const user = await app.db.user.findUnique({ where, omit: { passwordHash: true } });
  if (user === null) throw notFound('user');
  return user;
}

const cursors = cursorsOf('users', z.uuid());
const listing = z.object({ search: searchWords });

/**
 * All users, newest first. With `search`, those whose address and name contain all its words. @throws BAD_USER_INPUT
 */
export async function listUsers(
  app: Pick<App, 'db' | 'log'>,
  args: PageArguments & { search?: string | null },
): Promise<Page<UserView>> {
  const window = windowOf(args, cursors);
  const { search: words } = parseRequest(listing, args);
  if (words.length > 0) await foldBeforeSearch(app, 'users');
  const rows = await readPeople(app.db, { window, words });
  const page = pageOf(rows, window, cursors, (user) => user.id);
  return { ...page, count: () => countRows(app.db, peopleQuery(words)) };
}

const settings = z.object({
  locale: language.nullish(),
  mailOn: z.array(z.enum(NOTICE_KINDS)).nullish(),
});

/** Changes a user's own settings. What is left out keeps its value. @throws BAD_USER_INPUT, NOT_FOUND */
export async function updateSettings(
  app: Pick<App, 'db'>,
  id: string,
  input: { locale?: string | null; mailOn?: readonly string[] | null },
): Promise<UserView> {
  const { locale, mailOn } = parseRequest(settings, input);
  const [user] = await app.db.user.updateManyAndReturn({
    where: { id, deletedAt: null },
    data: {
      ...(locale == null ? {} : { locale }),
      ...(mailOn == null ? {} : { mailOn: [...new Set(mailOn)] }),
    },
    omit: { passwordHash: true },
  });
  if (user === undefined) throw notFound('user');
  return user;
}

const profile = z.object({ displayName: optionalName });

/** Changes a user's own profile. Fields that are left out keep their value. @throws BAD_USER_INPUT, NOT_FOUND */
export async function updateProfile(
  app: Pick<App, 'db'>,
  id: string,
  input: { displayName?: string | null },
): Promise<UserView> {
  const { displayName } = parseRequest(profile, input);
  const data = displayName === undefined ? {} : { displayName };
  const [user] = await app.db.user.updateManyAndReturn({
    where: { id, deletedAt: null },
    data,
    omit: { passwordHash: true },
  });
  if (user === undefined) throw notFound('user');
  await foldNow(app.db, 'users', id);
  return user;
}
