import { z } from 'zod';
import type { App } from '../../app.js';
import {
  accountSuspended,
  emailTaken,
  invalidCredentials,
  type DomainError,
} from '../../domain/errors.js';
import { newUserId, type UserId } from '../../domain/ids.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { isCleanText } from '../../domain/text.js';
import { isUniqueViolation, transact, type Tx, type User } from '../../infra/db.js';
import { hashPassword, needsRehash } from '../../infra/passwords.js';
import { settleGrants } from '../ledger/grants.js';
import { issueTokens, openSession, type Device, type SignedIn } from '../sessions/sessions.js';
import { countAgainstLimit } from '../limits.js';
import { withPassword, type Credentials } from './credentials.js';
import { enqueueMail } from './mails.js';
import { holdPassword, isKnownAddress } from './people.sql.js';
import { email, optionalName, parseRequest, password } from '../validation.js';

const name = optionalName.transform((given) => given ?? null);

const registration = z.object({ email, password, displayName: name, deviceName: name });
const credentials = z.object({
  email: z.string().max(1000, 'must be at most 1,000 characters').trim().toLowerCase(),
  password: z.string().max(1000, 'must be at most 1,000 characters'),
  deviceName: name,
});

export type DeviceFacts = Pick<Device, 'userAgent' | 'ipAddress' | 'transport'>;

/**
 * Creates a person with their account and the points for signing up, in one commit, and signs the
 * device in.
 * @throws BAD_USER_INPUT, EMAIL_TAKEN, RATE_LIMITED
 */
export async function register(
  app: App,
  input: {
    email: string;
    password: string;
    displayName?: string | null;
    deviceName?: string | null;
  },
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
  app.log.info({ userId: session.userId }, 'registered');
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
  readonly role?: 'USER' | 'ADMIN';
  readonly emailVerifiedAt?: Date | null;
}

/** The person, the account that holds their points, and the points for signing up. */
export async function createUser(app: App, tx: Tx, user: NewUser): Promise<UserId> {
  const id = newUserId();
  const { email: address, passwordHash, displayName, role = 'USER', emailVerifiedAt = null } = user;
  await tx.user.create({
    data: {
      id,
      email: address,
      passwordHash,
      displayName,
      role,
      emailVerifiedAt,
      account: { create: {} },
    },
  });
  await grantForSigningUp(app, tx, id);
  return id;
}

async function grantForSigningUp(app: App, tx: Tx, userId: UserId): Promise<void> {
  const { initial: amount, priorityOf } = app.config.credits;
  if (amount === 0) return;
  const terms = { source: 'FREE' as const, priority: priorityOf.FREE, amount, expiresAt: null };
  const request = {
    userId,
    terms,
    reason: 'Welcome',
    idempotencyKey: keys.signup(),
    requestHash: hashRequest([amount]),
    actorId: null,
    action: null,
  };
  await settleGrants(tx, [request], { wait: true });
}

const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * Counts who tries an account from an address that it was never used from, all of them together: however
 * many strangers hammer it, its owner gets in from where they have been before.
 * @throws RATE_LIMITED, BUSY
 */
async function limitStrangers(
  app: App,
  { email: whose, userId, ipAddress }: { email: string; userId: string; ipAddress: string | null },
): Promise<void> {
  if (await isKnownAddress(app.db, { userId, ipAddress })) return;
  await countAgainstLimit(app, { limit: 'login', by: 'account', whose });
}

/**
 * Signs a device in. An unknown address and a wrong password are the same answer in the same time.
 * @throws BAD_USER_INPUT, INVALID_CREDENTIALS, ACCOUNT_SUSPENDED, RATE_LIMITED
 */
export async function signIn(
  app: App,
  input: { email: string; password: string; deviceName?: string | null },
  device: DeviceFacts,
): Promise<SignedIn> {
  const { email: address, password: given, deviceName } = parseRequest(credentials, input);
  const find = async (): Promise<User | null> => {
    const user = !isCleanText(address)
      ? null
      : await app.db.user.findFirst({ where: { email: address, deletedAt: null } });
    await limitStrangers(app, { email: address, userId: user?.id ?? NOBODY, ...device });
    return user;
  };
  const refuse = (user: User | null): DomainError => {
    app.metrics.sessions.inc({ event: 'refused' });
    if (user !== null) app.log.info({ userId: user.id }, 'wrong password');
    return invalidCredentials();
  };
  const session = await withPassword(find, given, refuse, async (user) => {
    if (user.suspendedAt !== null) throw accountSuspended();
    const opened = await transact(app.db, async (tx) => {
      if ((await holdPassword(tx, user.id)) !== user.passwordHash) throw invalidCredentials();
      return openSession(app, tx, user.id, { ...device, name: deviceName });
    });
    await rehash(app, user, given);
    return opened;
  });
  return issueTokens(app, session, 'created');
}

/** Hashes a password anew whose hash was made with other parameters; when that fails, the next sign-in does it. */
async function rehash(app: App, { id, passwordHash }: Credentials, right: string): Promise<void> {
  if (!needsRehash(passwordHash)) return;
  try {
    const data = { passwordHash: await hashPassword(right) };
    await app.db.user.updateMany({ where: { id, passwordHash }, data });
  } catch (error) {
    app.log.warn({ err: error, userId: id }, 'password not rehashed');
  }
}
