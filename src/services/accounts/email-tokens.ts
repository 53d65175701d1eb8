import type { App } from '../../app.js';
import { tokenInvalid } from '../../domain/errors.js';
import type { Tx } from '../../infra/db.js';
import { makeOpaqueToken, parseOpaqueToken, type OpaqueToken } from '../../infra/tokens.js';

/** What a mailed token is for. */
export type EmailPurpose = 'VERIFY' | 'RESET';

const HOUR_MS = 3_600_000;
const LIFETIME_MS: Readonly<Record<EmailPurpose, number>> = {
  VERIFY: 24 * HOUR_MS,
  RESET: HOUR_MS,
};

/** A new token, of which only the hash is kept. */
export async function issueEmailToken(
  app: Pick<App, 'db'>,
  userId: string,
  purpose: EmailPurpose,
): Promise<OpaqueToken> {
  const token = makeOpaqueToken(userId);
  const createdAt = new Date();
  const expiresAt = new Date(createdAt.getTime() + LIFETIME_MS[purpose]);
  await app.db.emailToken.create({
    data: { userId, hash: token.hash, purpose, createdAt, expiresAt },
  });
  return token;
}

/** Takes back a token that reached nobody. */
export async function withdrawEmailToken(
  app: Pick<App, 'db'>,
  { userId, hash }: OpaqueToken,
): Promise<void> {
  await app.db.emailToken.deleteMany({ where: { userId, hash } });
}

/** What was presented, while it is good. Uses nothing up. @throws TOKEN_INVALID */
export async function findEmailToken(
  app: Pick<App, 'db'>,
  text: string,
  purpose: EmailPurpose,
): Promise<OpaqueToken> {
  const token = parseOpaqueToken(text);
  if (token === null) throw tokenInvalid();
  const { userId, hash } = token;
  const where = { userId, hash, purpose, expiresAt: { gt: new Date() } };
  if ((await app.db.emailToken.count({ where })) === 0) throw tokenInvalid();
  return token;
}

/** Uses a token up, and all others for the same purpose with it. @throws TOKEN_INVALID when it is not good */
export async function useEmailToken(
  tx: Tx,
  { userId, hash }: OpaqueToken,
  purpose: EmailPurpose,
): Promise<void> {
  const good = { userId, hash, purpose, expiresAt: { gt: new Date() } };
  if ((await tx.emailToken.deleteMany({ where: good })).count === 0) throw tokenInvalid();
  await tx.emailToken.deleteMany({ where: { userId, purpose } });
}
