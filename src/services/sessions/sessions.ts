import type { TokenTransport } from '../../domain/accounts/token-transport.js';
import type { App } from '../app.js';
import { accountSuspended, refreshTokenInvalid, refreshTokenReused } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { asLine } from '../../domain/text.js';
import { transact, type Tx } from '../../infra/db.js';
import {
  makeOpaqueToken,
  openSuccessor,
  parseOpaqueToken,
  sealSuccessor,
  type OpaqueToken,
} from '../../infra/tokens.js';
import { changed, writeAudit } from '../audit.sql.js';
import { countAgainstLimit } from '../limits.js';
import {
  endLeastUsed,
  insertSession,
  isOfLiveSession,
  lockSessionOfToken,
  type Device,
  type SessionRow,
} from './sessions.sql.js';
import { DEVICES_MAX } from './session-states.js';

export type { Device };

/** A signed-in device and its tokens. */
export interface SignedIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly transport: TokenTransport;
  readonly accessToken: string;
  readonly accessTokenExpiresAt: Date;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}

/** For this long after its use, the predecessor of a refresh token gets the same successor again. */
const REUSE_GRACE_MS = 10_000;

/** A session that is opened with the caller's transaction. `issueTokens` makes its access token after the commit. */
export interface OpenedSession {
  readonly userId: string;
  readonly sessionId: string;
  readonly transport: TokenTransport;
  readonly token: OpaqueToken;
  readonly expiresAt: Date;
}

/**
 * Opens a session, which is a family of refresh tokens. Beyond DEVICES_MAX, the least recently used session is ended.
 */
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
  const userAgent = userAgentOf(device);
  const expiresAt = await insertSession(tx, session, { ...device, userAgent });
  await endLeastUsed(tx, userId, DEVICES_MAX);
  return { userId, sessionId, transport: device.transport, token, expiresAt };
}

/**
 * Removes control characters, because a header may contain those of Latin-1, and the text is shown in the list of
 * devices.
 */
const userAgentOf = ({ userAgent }: Pick<Device, 'userAgent'>): string | null =>
  userAgent === null ? null : asLine(userAgent);

/** Signs the access token of an opened or refreshed session. */
export async function issueTokens(
  app: App,
  session: OpenedSession,
  event: 'created' | 'refreshed',
): Promise<SignedIn> {
  app.metrics.sessions.inc({ event });
  const issuedAt = new Date();
  // Tokens count in whole seconds, and the answer must agree with the token.
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
 * Replaces a refresh token. Its immediate predecessor, used again within ten seconds (two tabs, a lost answer), gets
 * the same successor. The use of any older token is taken for theft, and ends the whole session.
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
      const details = { revokedAt: changed(null, at) };
      await writeAudit(tx, [{ actorId, action, target, reason: null, details, at }]);
      return { session, opened: null };
    }
    const expiresAt = nextExpiry(app, session);
    await tx.session.update({
      where: keyOf(session),
      data: {
        ipAddress: device.ipAddress,
        userAgent: userAgentOf(device),
        lastUsedAt: session.now,
        expiresAt,
      },
    });
    return { session, opened: { ...idsOf(session), token: successor, expiresAt } };
  });
  if (outcome.opened === null) {
    // Refused after the commit, because the session must end although the request is refused.
    app.metrics.sessions.inc({ event: 'reused' });
    app.log.warn(
      {
        event: 'refresh-token-reused',
        userId: outcome.session.userId,
        sessionId: outcome.session.id,
      },
      'refresh token reused',
    );
    throw refreshTokenReused();
  }
  return issueTokens(app, outcome.opened, 'refreshed');
}

/**
 * Counts a refresh against the account that the token names, but only if the token belongs to a live session. So
 * neither a made-up token nor a token of an ended session can keep the owner from refreshing.
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
