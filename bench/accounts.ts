import { randomUUID } from 'node:crypto';
import type { OpenApp } from '../src/open-app.ts';
import type { UserId } from '../src/domain/ids.ts';
import type { GrantRequest } from '../src/services/ledger/grants.ts';
import type { NarrationRequest } from '../src/services/narrations/settle-narrations.ts';

let made = 0;

/** Verified people with empty accounts. */
export async function makeUsers(app: OpenApp, count: number): Promise<UserId[]> {
  made += 1;
  const users = await app.db.$queryRaw<{ id: UserId }[]>`
    WITH made AS (
      INSERT INTO users (id, email, password_hash, email_verified_at)
      SELECT gen_random_uuid(), ${String(made)} || '-' || n || '@example.com', '', now()
      FROM generate_series(1, ${count}::int) n RETURNING id
    ), accounts AS (INSERT INTO credit_accounts (user_id) SELECT id FROM made)
    SELECT id FROM made`;
  return users.map(({ id }) => id);
}

export const grantRequest = (
  userId: UserId,
  amount: number,
  expiresAt: Date | null = null,
): GrantRequest => ({
  userId,
  terms: { source: expiresAt === null ? 'FREE' : 'EVENT', priority: 50, amount, expiresAt },
  reason: 'bench',
  idempotencyKey: `grant:${randomUUID()}`,
  requestHash: new Uint8Array(32),
  actorId: null,
  action: null,
});

export const narrationRequest = (userId: UserId): NarrationRequest => ({
  userId,
  storyId: randomUUID(),
  textHash: 'text',
  voiceId: 'voice',
  price: 1,
  maxCredits: null,
  reason: 'bench',
  idempotencyKey: null,
  requestHash: new Uint8Array(32),
});
