// One of several processes that debit the same account: node storm-process.mjs URL USER HOW-MANY
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { openApp } from '../../dist/open-app.js';
import { readConfig } from '../../dist/config.js';

const [databaseUrl, userId, debits] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'talebank-storm-'));
const app = await openApp({
  config: readConfig({ DATA_DIR: folder, ROLE: 'api' }),
  log: pino({ level: 'silent' }),
  databaseUrl,
  publicUrl: () => 'http://test',
});
const counts = {};
await Promise.all(
  Array.from({ length: Number(debits) }, async () => {
    // Repeated while it is BUSY, as clients do, because a slow machine may hold the account for longer than it is waited for.
    for (;;) {
      const name = await app.ledger
        .narrate({
          userId,
          storyId: randomUUID(),
          textHash: 'text',
          voiceId: 'voice',
          price: 1,
          maxCredits: null,
          reason: 'A storm',
          idempotencyKey: null,
          requestHash: new Uint8Array(32),
        })
        .then(
          () => 'CHARGED',
          (error) => error.code,
        );
      if (name !== 'BUSY') {
        counts[name] = (counts[name] ?? 0) + 1;
        return;
      }
      await sleep(100);
    }
  }),
);
process.send(counts);
await app.close(1000);
await rm(folder, { recursive: true, force: true });
process.exit(0);
