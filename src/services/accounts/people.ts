import { z } from 'zod';
import type { App } from '../../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { isCleanText } from '../../domain/text.js';
import { line, optionalName, parseRequest } from '../validation.js';
import { readPeople } from './people.sql.js';

/** A person, without what is nobody's business. */
export interface UserView {
  readonly id: string;
  readonly email: string;
  readonly emailVerifiedAt: Date | null;
  readonly displayName: string | null;
  readonly role: 'USER' | 'ADMIN';
  readonly suspendedAt: Date | null;
  readonly monthlyCredits: number | null;
  readonly createdAt: Date;
}

export async function usersById(app: App, ids: readonly string[]): Promise<Map<string, UserView>> {
  const rows = await app.db.user.findMany({
    where: { id: { in: [...ids] } },
    omit: { passwordHash: true },
  });
  return new Map(rows.map((row) => [row.id, row]));
}

/** One person, for administrators. @throws NOT_FOUND, BAD_USER_INPUT when not exactly one of the two is given */
export async function findUser(
  app: Pick<App, 'db'>,
  wanted: { id?: string | null; email?: string | null },
): Promise<UserView> {
  const { id = null, email = null } = wanted;
  if ((id === null) === (email === null)) throw badUserInput('id', 'give either id or email');
  if ((id !== null && !isId(id)) || (email !== null && !isCleanText(email))) throw notFound('user');
  const where = id === null ? { email: (email ?? '').trim().toLowerCase() } : { id };
  const user = await app.db.user.findUnique({ where, omit: { passwordHash: true } });
  if (user === null) throw notFound('user');
  return user;
}

const cursors = cursorsOf('users', z.uuid());
const listing = z.object({
  search: line(0, 200)
    .nullish()
    .transform((words) => (words == null || words === '' ? null : words)),
});

/** Everyone, newest first; with `search`, whose address or name mentions it. @throws BAD_USER_INPUT */
export async function listUsers(
  app: Pick<App, 'db'>,
  args: PageArguments & { search?: string | null },
): Promise<Page<UserView>> {
  const window = windowOf(args, cursors);
  const { search } = parseRequest(listing, args);
  const rows = await readPeople(app.db, { window, search });
  return pageOf(rows, window, cursors, (user) => user.id);
}

const profile = z.object({ displayName: optionalName });

/** Changes what a person may change of themselves; what is left out stays. @throws BAD_USER_INPUT, NOT_FOUND */
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
  return user;
}
