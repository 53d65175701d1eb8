import type { Role } from '../../domain/accounts/role.js';
import { z } from 'zod';
import type { App } from '../app.js';
import {
  accountSuspended,
  emailTaken,
  invalidCredentials,
  type DomainError,
} from '../../domain/errors.js';
import { newUserId, type UserId } from '../../domain/ids.js';
import { spellingOf } from '../../domain/inboxes.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { isCleanText } from '../../domain/text.js';
import { transact, type Tx, type User } from '../../infra/db.js';
import { isUniqueViolation } from '../../infra/connections/database-errors.js';
import { hashPassword, needsRehash } from '../../infra/passwords.js';
import type { GrantRequest } from '../ledger/grants.js';
import { issueTokens, openSession, type Device, type SignedIn } from '../sessions/sessions.js';
import { tallyAgainstLimit } from '../limits.js';
import { withPassword, type Credentials } from './credentials.js';
import { enqueueMail } from './mails.js';
import { holdPassword, isKnownAddress } from './people.sql.js';
import { foldNow } from '../search/fold.js';
import { email, language, optionalName, parseRequest, password } from '../validation.js';

const name = optionalName.transform((given) => given ?? null);

const registration = z.object({
  email,
  password,
  displayName: name,
  deviceName: name,
  locale: language.nullish().transform((tag) => tag ?? 'en'),
});
export type Registration = z.input<typeof registration>;
const credentials = z.object({
  email: z.string().max(1000, 'must be at most 1,000 characters').transform(spellingOf),
  password: z.string().max(1000, 'must be at most 1,000 characters'),
  deviceName: name,
});

export type DeviceFacts = Pick<Device, 'userAgent' | 'ipAddress' | 'transport'>;

/**
 * Creates a user with their account and the points for signing up, in one commit, and signs the device in.
 * @throws BAD_USER_INPUT, EMAIL_TAKEN, RATE_LIMITED
 */
export async function register(
  app: App,
  input: Registration,
  device: DeviceFacts,
): Promise<SignedIn> {
  const request = parseRequest(registration, input);
  const passwordHash = await hashPassword(request.password);
  const session = await refusingTaken(() =>
    transact(app.db, async (tx) => {
      const userId = await createUser(app, tx, { ...request, passwordHash });
      await enqueueMail(app, tx, { userId, mail: 'VERIFY' });
      return openSession(app, tx, userId, { ...device, name: request.deviceName });
    }),
  );
  app.log.info({ event: 'registered', userId: session.userId }, 'registered');
  return issueTokens(app, session, 'created');
}

async function refusingTaken<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw isUniqueViolation(error) ? emailTaken() : error;
  }
}

export interface NewUser {
  readonly email: string;
  readonly passwordHash: string;
  readonly displayName: string | null;
  readonly role?: Role;
  readonly emailVerifiedAt?: Date | null;
  /** The language of mails. English by default. */
  readonly locale?: string;
}

/** Creates the user, the account that holds their points, and the points for signing up. */
export async function createUser(app: App, tx: Tx, user: NewUser): Promise<UserId> {
  const id = newUserId();
  const { email: address, passwordHash, displayName, role = 'USER', emailVerifiedAt = null } = user;
  const { locale = 'en' } = user;
  await tx.user.create({
    data: {
      id,
      email: address,
      passwordHash,
      displayName,
      role,
      emailVerifiedAt,
      locale,
      account: { create: {} },
    },
  });
  await foldNow(tx, 'users', id);
  await grantForSigningUp(app, tx, id);
  return id;
}

/** The grant is logged and counted like every other one, after the commit of the caller's transaction. */
async function grantForSigningUp(app: App, tx: Tx, userId: UserId): Promise<void> {
  const { initial: amount, priorityOf } = app.config.credits;
  if (amount === 0) return;
  const terms = { source: 'FREE' as const, priority: priorityOf.FREE, amount, expiresAt: null };
  const request: GrantRequest = {
    userId,
    terms,
    reason: 'Welcome',
    idempotencyKey: keys.signup(),
    requestHash: hashRequest([amount]),
    actorId: null,
    action: null,
  };
  await app.ledger.grantNewcomer(tx, request);
}

const NO_USER_ID = '00000000-0000-0000-0000-000000000000';

/** A user, and whether they have signed in from the address of the request before. */
type Candidate = User & { readonly isAtHome: boolean };

/** Always runs both queries, so that an unknown address takes as long as a known one. */
async function findCandidate(
  app: App,
  address: string,
  ipAddress: string | null,
): Promise<Candidate | null> {
  const user = !isCleanText(address)
    ? null
    : await app.db.user.findFirst({ where: { email: address, deletedAt: null } });
  const isAtHome = await isKnownAddress(app.db, { userId: user?.id ?? NO_USER_ID, ipAddress });
  return user === null ? null : { ...user, isAtHome };
}

/**
 * Signs a device in. An unknown address and a wrong password get the same answer in the same time.
 *
 * All attempts are counted by the account that they name, from any address. Beyond the limit the password is still
 * checked, but the right one is accepted only from an address that the account has used before. So an attacker who uses
 * up the limit does not lock the owner out. All other attempts get the same RATE_LIMITED in the same time, whether or
 * not the account exists, the password is right, or the account was used from there.
 * @throws BAD_USER_INPUT, INVALID_CREDENTIALS, ACCOUNT_SUSPENDED, RATE_LIMITED
 */
export async function signIn(
  app: App,
  input: { email: string; password: string; deviceName?: string | null },
  device: DeviceFacts,
): Promise<SignedIn> {
  const { email: address, password: given, deviceName } = parseRequest(credentials, input);
  const counted = { limit: 'login', by: 'account', whose: address } as const;
  const { refusal } = await tallyAgainstLimit(app, counted, 1);
  const find = (): Promise<Candidate | null> => findCandidate(app, address, device.ipAddress);
  const refuse = (user: User | null): DomainError => {
    app.metrics.sessions.inc({ event: 'refused' });
    // Beyond the limit only the limit is logged, so that strangers cannot fill the log.
    if (user !== null && refusal === null)
      app.log.info({ event: 'wrong-password', userId: user.id }, 'wrong password');
    return refusal ?? invalidCredentials();
  };
  const session = await withPassword(find, given, refuse, async (user) => {
    if (refusal !== null && !user.isAtHome) throw refusal;
    if (user.suspendedAt !== null) {
      app.log.info(
        { event: 'sign-in-refused', userId: user.id },
        'sign-in refused: the account is suspended',
      );
      throw accountSuspended();
    }
    const opened = await transact(app.db, async (tx) => {
      if ((await holdPassword(tx, user.id)) !== user.passwordHash) throw invalidCredentials();
      return openSession(app, tx, user.id, { ...device, name: deviceName });
    });
    await rehash(app, user, given);
    return opened;
  });
  app.log.info(
    { event: 'signed-in', userId: session.userId, sessionId: session.sessionId },
    'signed in',
  );
  return issueTokens(app, session, 'created');
}

/** Replaces a hash that was made with other parameters. If that fails, the next sign-in tries again. */
async function rehash(app: App, { id, passwordHash }: Credentials, right: string): Promise<void> {
  if (!needsRehash(passwordHash)) return;
  try {
    const data = { passwordHash: await hashPassword(right) };
    await app.db.user.updateMany({ where: { id, passwordHash }, data });
  } catch (error) {
    app.log.warn(
      { event: 'password-not-rehashed', err: error, userId: id },
      'password not rehashed',
    );
  }
}
