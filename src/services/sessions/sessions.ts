import type { App } from '../../app.js';
import { accountSuspended, refreshTokenInvalid, refreshTokenReused } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { transact, type Tx } from '../../infra/db.js';
import {
  makeOpaqueToken,
  openSuccessor,
  parseOpaqueToken,
  sealSuccessor,
  type OpaqueToken,
} from '../../infra/tokens.js';
import { writeAudit } from '../audit.sql.js';
import { countAgainstLimit } from '../limits.js';
import {
  endLeastUsed,
  insertSession,
  isOfLiveSession,
  lockSessionOfToken,
  type SessionRow,
} from './sessions.sql.js';
import type { Viewer } from './viewer.js';

export type TokenTransport = 'BODY' | 'COOKIE';

/** What a device says of itself. */
export interface Device {
  readonly name: string | null;
  readonly userAgent: string | null;
  readonly ipAddress: string | null;
  readonly transport: TokenTransport;
}

/** A signed-in device and the tokens it was given. */
export interface SignedIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly transport: TokenTransport;
  readonly accessToken: string;
  readonly accessTokenExpiresAt: Date;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}

/** More than anyone carries about; whoever signs in from a script forgets to sign out. */
export const MOST_DEVICES = 100;
/** The predecessor of a refresh token is answered with the same successor for this long. */
const REUSE_GRACE_MS = 10_000;

/** A device that is signed in with the transaction; its access token is made afterwards by `issueTokens`. */
export interface OpenedSession {
  readonly userId: string;
  readonly sessionId: string;
  readonly transport: TokenTransport;
  readonly token: OpaqueToken;
  readonly expiresAt: Date;
}

/** Opens a family of refresh tokens for a device; beyond MOST_DEVICES the least recently used one is signed out. */
export async function openSession(
  app: App,
  tx: Tx,
  userId: string,
  device: Device,
): Promise<OpenedSession> {
  const { refreshIdleMs: idleMs, refreshMaxMs: longestMs } = app.config.tokens;
  const token = makeOpaqueToken(userId);
  const sessionId = newId();
  const session = { userId, id: sessionId, hash: token.hash, idleMs, longestMs };
  const expiresAt = await insertSession(tx, session, device);
  await endLeastUsed(tx, userId, MOST_DEVICES);
  return { userId, sessionId, transport: device.transport, token, expiresAt };
}

/** Signs the access token that goes with an opened or refreshed session. */
export async function issueTokens(
  app: App,
  session: OpenedSession,
  event: 'created' | 'refreshed',
): Promise<SignedIn> {
  app.metrics.sessions.inc({ event });
  const issuedAt = new Date();
  // Tokens count in whole seconds; what we say must be what we sign.
  const seconds = Math.floor(issuedAt.getTime() / 1000) + app.config.tokens.accessTtlSeconds;
  const accessTokenExpiresAt = new Date(seconds * 1000);
  const { userId, sessionId, transport, token, expiresAt } = session;
  return {
    userId,
    sessionId,
    transport,
    accessToken: await app.keys.sign(
      { userId, sessionId },
      { issuedAt, expiresAt: accessTokenExpiresAt },
    ),
    accessTokenExpiresAt,
    refreshToken: token.text,
    refreshTokenExpiresAt: expiresAt,
  };
}

/**
 * Replaces a refresh token. The immediate predecessor, used again within ten seconds (two tabs, a lost
 * answer), gets the same successor; anything older is theft, and the whole family dies.
 * @throws REFRESH_TOKEN_INVALID, REFRESH_TOKEN_REUSED, ACCOUNT_SUSPENDED; RATE_LIMITED for the account
 */
export async function refreshSession(
  app: App,
  refreshToken: string | null,
  device: Pick<Device, 'userAgent' | 'ipAddress'>,
): Promise<SignedIn> {
  const presented = refreshToken === null ? null : parseOpaqueToken(refreshToken);
  if (presented === null) throw refreshTokenInvalid();
  await countForAccount(app, presented);
  const outcome = await transact(app.db, async (tx) => {
    const session = await lockSessionOfToken(tx, presented);
    if (session === undefined) throw refreshTokenInvalid();
    if (session.revokedAt !== null || session.expiresAt <= session.now) throw refreshTokenInvalid();
    if (session.suspendedAt !== null) throw accountSuspended();
    const successor = await succeed(tx, session, presented);
    if (successor === null) {
      await tx.session.update({ where: keyOf(session), data: { revokedAt: session.now } });
      const { userId: actorId, id: target, now: at } = session;
      const action = 'refreshTokenReused';
      await writeAudit(tx, [{ actorId, action, target, reason: null, at }]);
      return { session, opened: null };
    }
    const expiresAt = nextExpiry(app, session);
    await tx.session.update({
      where: keyOf(session),
      data: { ...device, lastUsedAt: session.now, expiresAt },
    });
    return { session, opened: { ...idsOf(session), token: successor, expiresAt } };
  });
  if (outcome.opened === null) {
    // After the commit: the family must die although the request is refused.
    app.metrics.sessions.inc({ event: 'reused' });
    app.log.warn(
      { userId: outcome.session.userId, sessionId: outcome.session.id },
      'refresh token reused',
    );
    throw refreshTokenReused();
  }
  return issueTokens(app, outcome.opened, 'refreshed');
}

/**
 * A token names its account, so only one of a device that is signed in counts against it: neither who made one up nor
 * who has one of a family that died keeps the owner from refreshing.
 */
async function countForAccount(app: App, presented: OpaqueToken): Promise<void> {
  if (!(await isOfLiveSession(app.db, presented))) return;
  await countAgainstLimit(app, { limit: 'refresh', by: 'account', whose: presented.userId });
}

const idsOf = ({
  userId,
  id,
  transport,
}: SessionRow): Omit<OpenedSession, 'token' | 'expiresAt'> => ({
  userId,
  sessionId: id,
  transport,
});

const keyOf = ({ userId, id }: SessionRow): { userId_id: { userId: string; id: string } } => ({
  userId_id: { userId, id },
});

function nextExpiry(app: App, session: SessionRow): Date {
  const idle = session.now.getTime() + app.config.tokens.refreshIdleMs;
  return new Date(Math.min(idle, session.absoluteExpiresAt.getTime()));
}

/** @returns the token that replaces the presented one; null for theft. Under the session's lock. */
async function succeed(
  tx: Tx,
  session: SessionRow,
  presented: OpaqueToken,
): Promise<OpaqueToken | null> {
  const where = { userId_hash: { userId: session.userId, hash: presented.hash } };
  const row = await tx.refreshToken.findUniqueOrThrow({ where });
  if (row.replacedAt !== null && row.successorHash !== null && row.sealedSuccessor !== null) {
    const next = await tx.refreshToken.findUniqueOrThrow({
      where: { userId_hash: { userId: session.userId, hash: row.successorHash } },
    });
    const recent = session.now.getTime() - row.replacedAt.getTime() <= REUSE_GRACE_MS;
    return recent && next.replacedAt === null
      ? openSuccessor(presented, row.sealedSuccessor)
      : null;
  }
  const successor = makeOpaqueToken(session.userId);
  await tx.refreshToken.update({
    where,
    data: {
      replacedAt: session.now,
      successorHash: successor.hash,
      sealedSuccessor: sealSuccessor(presented, successor),
    },
  });
  await tx.refreshToken.create({
    data: {
      userId: session.userId,
      sessionId: session.id,
      hash: successor.hash,
      createdAt: session.now,
    },
  });
  return successor;
}

/**
 * Signs a device out, by its access token, by its refresh token, or both: its refresh tokens at once, its access
 * token within a second. Also when it is signed out already, or there is none.
 */
export async function signOut(
  app: App,
  device: { viewer: Viewer | null; refreshToken: string | null },
): Promise<void> {
  const { viewer, refreshToken } = device;
  const presented = refreshToken === null ? null : parseOpaqueToken(refreshToken);
  const ofToken = presented === null ? null : await findSessionOfToken(app, presented);
  for (const session of [viewer, ofToken]) if (session !== null) await endSession(app, session);
}

async function findSessionOfToken(
  app: App,
  { userId, hash }: OpaqueToken,
): Promise<{ userId: string; sessionId: string } | null> {
  const where = { userId_hash: { userId, hash } };
  return app.db.refreshToken.findUnique({ where, select: { userId: true, sessionId: true } });
}

async function endSession(
  app: App,
  { userId, sessionId: id }: { userId: string; sessionId: string },
): Promise<void> {
  await app.db.session.updateMany({
    where: { userId, id, revokedAt: null },
    data: { revokedAt: new Date() },
  });
  app.sessionStates.forget(userId);
}
