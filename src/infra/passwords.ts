import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { dictionary } from '@zxcvbn-ts/language-common';
import pLimit from 'p-limit';
import { busy } from '../domain/errors.js';

/** OWASP's minimum for Argon2id, which is the library's default: 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** The most common passwords in public leaks, without those that are refused as too short anyway. */
const COMMON = new Set(dictionary['passwords-common'].filter(({ length }) => length >= 8));

/** Whether a password is one of the most common ones, in upper or lower case. */
export const isCommonPassword = (password: string): boolean =>
  COMMON.has(password.normalize('NFC').toLowerCase());

/** At most one hash a core, so that many sign-ins at once cannot starve the rest. */
const limit = pLimit(availableParallelism());

/** Behind this many, which take about ten seconds on two cores, a request is refused instead of queued. */
const WAITING_MAX = 1_000;

/** @throws BUSY when too many wait already */
async function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
  if (limit.pendingCount >= WAITING_MAX) throw busy();
  return limit(work);
}

/** @throws BUSY */
export const hashPassword = (password: string): Promise<string> =>
  inTurn(() => hash(password.normalize('NFC'), PARAMETERS));

/** The hash of a random password, because an unknown address must take as long to check as a wrong password. */
const decoy = hash(crypto.randomUUID(), PARAMETERS);

/**
 * @param passwordHash null or empty when there is no such account; the result is then false, after the same time
 * @throws BUSY
 */
export async function verifyPassword(
  passwordHash: string | null,
  password: string,
): Promise<boolean> {
  const there = passwordHash !== null && passwordHash !== '';
  const against = there ? passwordHash : await decoy;
  const right = await inTurn(() => verify(against, password.normalize('NFC')));
  return there && right;
}

/** Whether the hash was made with other parameters than today's. */
export const needsRehash = (passwordHash: string): boolean =>
  !passwordHash.startsWith('$argon2id$v=19$m=19456,t=2,p=1$');
