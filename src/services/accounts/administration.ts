import type { Role } from '../../domain/accounts/role.js';
import { z } from 'zod';
import type { App } from '../app.js';
import { forbidden, lastAdministrator, notFound } from '../../domain/errors.js';
import { isId, type UserId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { changed, writeAudit } from '../audit.sql.js';
import { line, parseRequest } from '../validation.js';
import { lockStandings, type Standing } from './people.sql.js';
import type { UserView } from './people.sql.js';

export interface AdministerInput {
  readonly userId: string;
  readonly reason: string;
}

const administering = z.object({ userId: z.string(), reason: line(1, 500) });

/**
 * Suspends a user: their access tokens are refused on every process within a second, and they cannot sign in. Points
 * and narrations stay. Idempotent.
 * @param actorId the administrator
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN (the actor is no administrator any more), CONFLICT for the last
 * administrator
 */
export const suspendUser = (app: App, input: AdministerInput, actorId: UserId): Promise<UserView> =>
  administer(app, 'suspendUser', input, actorId, ({ suspendedAt }, at) => ({
    suspendedAt: suspendedAt ?? at,
  }));

/** Reinstates a suspended user, with the devices that were signed in. @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN */
export const reinstateUser = (
  app: App,
  input: AdministerInput,
  actorId: UserId,
): Promise<UserView> =>
  administer(app, 'reinstateUser', input, actorId, () => ({ suspendedAt: null }));

/**
 * Sets the role of a user: administrator, auditor or neither.
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN (the actor is no administrator any more), CONFLICT for the last
 * administrator
 */
export const setUserRole = (
  app: App,
  { role, ...input }: AdministerInput & { readonly role: Role },
  actorId: UserId,
): Promise<UserView> => administer(app, 'setUserRole', input, actorId, () => ({ role }));

type Change = Partial<Omit<Standing, 'id'>>;

/** A request that changes nothing writes no audit entry, so that it can be repeated. */
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
    // The actor may have been demoted since the request was authorised, even by the user whom it concerns.
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
      const details = {
        ...(role === before.role ? {} : { role: changed(before.role, role) }),
        ...(suspendedAt === before.suspendedAt
          ? {}
          : { suspendedAt: changed(before.suspendedAt, suspendedAt) }),
      };
      await writeAudit(tx, [{ actorId, action, target: before.id, reason, details, at }]);
    }
    return tx.user.findUniqueOrThrow({ where: { id }, omit: { passwordHash: true } });
  });
  app.log.info(
    { event: 'user-administered', userId: user.id, actorId, action },
    'user administered',
  );
  return user;
}

/** Whether a user has the role of an administrator and is not suspended. */
export const isAdministrator = ({ role, suspendedAt }: Standing): boolean =>
  role === 'ADMIN' && suspendedAt === null;
