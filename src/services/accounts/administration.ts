import { z } from 'zod';
import type { App } from '../../app.js';
import { forbidden, lastAdministrator, notFound } from '../../domain/errors.js';
import { isId, type UserId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { line, parseRequest } from '../validation.js';
import { lockStandings, type Standing } from './people.sql.js';
import type { UserView } from './people.js';

export interface AdministerInput {
  readonly userId: string;
  readonly reason: string;
}

const administering = z.object({ userId: z.string(), reason: line(1, 500) });

/**
 * Locks a person out: their access tokens are refused within a second on every process, and they cannot
 * sign in. Their points and their narrations stay. Twice is once.
 * @param actorId the administrator who does it
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT for the last administrator
 */
export const suspendUser = (app: App, input: AdministerInput, actorId: UserId): Promise<UserView> =>
  administer(app, 'suspendUser', input, actorId, ({ suspendedAt }, at) => ({
    suspendedAt: suspendedAt ?? at,
  }));

/** Lets a suspended person in again, on the devices that were signed in. @throws BAD_USER_INPUT, NOT_FOUND */
export const reinstateUser = (
  app: App,
  input: AdministerInput,
  actorId: UserId,
): Promise<UserView> =>
  administer(app, 'reinstateUser', input, actorId, () => ({ suspendedAt: null }));

/** Makes someone an administrator, or one no longer. @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT for the last one */
export const setUserRole = (
  app: App,
  { role, ...input }: AdministerInput & { readonly role: UserView['role'] },
  actorId: UserId,
): Promise<UserView> => administer(app, 'setUserRole', input, actorId, () => ({ role }));

type Change = Partial<Omit<Standing, 'id'>>;

/** What changes nothing leaves no trace, so that a request can be sent again. */
async function administer(
  app: App,
  action: string,
  input: AdministerInput,
  actorId: UserId,
  decide: (standing: Standing, at: Date) => Change,
): Promise<UserView> {
  const { userId: id, reason } = parseRequest(administering, input);
  if (!isId(id)) throw notFound('user');
  const user = await transact(app.db, async (tx) => {
    const standings = await lockStandings(tx, [id, actorId]);
    // Who decided this may have been demoted meanwhile, by whom it is about.
    if (!standings.some((one) => one.id === actorId && isAdministrator(one))) throw forbidden();
    const before = standings.find((standing) => standing.id === id.toLowerCase());
    if (before === undefined) throw notFound('user');
    const at = new Date();
    const after = { ...before, ...decide(before, at) };
    if (!standings.some((one) => isAdministrator(one.id === before.id ? after : one)))
      throw lastAdministrator();
    if (after.role !== before.role || after.suspendedAt !== before.suspendedAt) {
      const { role, suspendedAt } = after;
      await tx.user.update({ where: { id }, data: { role, suspendedAt } });
      await writeAudit(tx, [{ actorId, action, target: before.id, reason, at }]);
    }
    return tx.user.findUniqueOrThrow({ where: { id }, omit: { passwordHash: true } });
  });
  app.log.info({ userId: user.id, actorId, action }, 'user administered');
  return user;
}

/** One who can act as such. */
export const isAdministrator = ({ role, suspendedAt }: Standing): boolean =>
  role === 'ADMIN' && suspendedAt === null;
