import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';

/**
 * The narrate command as the same statements one by one on bare `pg`: a transaction for each request,
 * prepared statements, no ORM, no batching.
 */
export function createBareNarration(
  databaseUrl: string,
  connections: number,
): {
  narrate(userId: string): Promise<void>;
  close(): Promise<void>;
} {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  const run = <Row extends pg.QueryResultRow>(
    client: pg.PoolClient,
    name: string,
    text: string,
    values: unknown[],
  ): Promise<pg.QueryResult<Row>> => client.query<Row>({ name, text, values });

  async function settle(client: pg.PoolClient, userId: string): Promise<void> {
    const audioId = randomUUID();
    const storyId = randomUUID();
    const account = await run<{ last_seq: number; head_hash: Buffer; now: Date }>(
      client,
      'lock',
      'SELECT last_seq, head_hash, ledger_now() AS now FROM credit_accounts WHERE user_id = $1 FOR UPDATE',
      [userId],
    );
    const {
      last_seq: lastSeq = 0,
      head_hash: head = Buffer.alloc(32),
      now = new Date(),
    } = account.rows[0] ?? {};
    const balance = await run<{ balance_after: number }>(
      client,
      'balance',
      'SELECT balance_after FROM credit_transactions WHERE user_id = $1 AND seq = $2',
      [userId, lastSeq],
    );
    const lots = await run<{ id: string; remaining: number }>(
      client,
      'lots',
      'SELECT * FROM credit_lots WHERE user_id = $1 AND remaining > 0 AND revoked_at IS NULL',
      [userId],
    );
    await run(
      client,
      'audio',
      `SELECT id, status, attempt FROM audios
      WHERE user_id = $1 AND story_id = $2 AND text_hash = $3 AND voice_id = $4`,
      [userId, storyId, 'text', 'voice'],
    );
    const [lot] = lots.rows;
    const after = (balance.rows[0]?.balance_after ?? 0) - 1;
    const seq = lastSeq + 1;
    const key = `audio:${audioId}:1`;
    const at = now.toISOString();
    const text = JSON.stringify([
      userId,
      String(seq),
      'DEBIT',
      '-1',
      String(after),
      at,
      at,
      'bench',
      key,
      audioId,
      storyId,
      '',
      '',
      [[lot?.id, '-1']],
    ]);
    const hash = createHash('sha256').update(head).update(text).digest();
    await run(
      client,
      'transaction',
      `INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, reason,
      audio_id, story_id, idempotency_key, effective_at, recorded_at, hash)
      VALUES ($1, $2, $3, 'DEBIT', -1, $4, 'bench', $5, $6, $7, $8, $8, $9)`,
      [userId, seq, randomUUID(), after, audioId, storyId, key, now, hash],
    );
    await run(client, 'allocation', 'INSERT INTO credit_allocations VALUES ($1, $2, 1, $3, -1)', [
      userId,
      seq,
      lot?.id,
    ]);
    await run(
      client,
      'lot',
      'UPDATE credit_lots SET remaining = $3 WHERE user_id = $1 AND id = $2',
      [userId, lot?.id, (lot?.remaining ?? 0) - 1],
    );
    await run(
      client,
      'account',
      'UPDATE credit_accounts SET last_seq = $2, head_hash = $3 WHERE user_id = $1',
      [userId, seq, hash],
    );
    await run(
      client,
      'queued',
      `INSERT INTO audios (user_id, id, story_id, text_hash, voice_id, status, attempt, job_id,
      debit_seq, created_at, updated_at) VALUES ($1, $2, $3, 'text', 'voice', 'QUEUED', 1, $4, $5, $6, $6)`,
      [userId, audioId, storyId, randomUUID(), seq, now],
    );
    await run(
      client,
      'job',
      `INSERT INTO pgboss.job (id, name, data, priority, start_after, created_on, expire_seconds,
        deletion_seconds, keep_until, retry_limit, retry_delay, retry_backoff, dead_letter, heartbeat_seconds)
      VALUES ($1, 'synthesize-audio', $2, 0, now(), now(), 3600, 604800, now() + interval '30 days', 4, 5, true, 'fail-audio', 20)`,
      [randomUUID(), JSON.stringify({ userId, audioId, attempt: 1 })],
    );
    await run(client, 'notify', 'SELECT pg_notify($1, $2)', ['bench', 'synthesize-audio']);
  }

  return {
    narrate: async (userId) => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await settle(client, userId);
        await client.query('COMMIT');
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
}
