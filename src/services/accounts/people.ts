import type { App } from '../../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { isCleanText } from '../../domain/text.js';

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
