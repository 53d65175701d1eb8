import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type * as Compare from '../src/services/anchors/compare.ts';
import type * as Keys from '../src/services/anchors/keys.ts';
import type * as MakeAnchor from '../src/services/anchors/make-anchor.ts';
import type * as Prove from '../src/services/anchors/prove.ts';
import type * as Reconcile from '../src/services/reconciliation/reconcile.ts';
import type { UserId } from '../src/domain/ids.ts';
import { grantRequest, makeUsers, narrationRequest } from './accounts.ts';
import { compiled, print, type Bench } from './support.ts';

const VERIFIER = fileURLToPath(new URL('../scripts/verify-export.mjs', import.meta.url));
const ACCOUNTS = 1_000;
const MOVEMENTS_EACH = 100;

/** Seconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/** Verifying with an anchor against verifying alone, and the proof of one long history. */
export async function benchAnchors({ app }: Bench): Promise<void> {
  const outside = await mkdtemp(join(tmpdir(), 'talebank-bench-anchors-'));
  print('\nAnchors');
  const users = await makeUsers(app, ACCOUNTS);
  await Promise.all(users.map((userId) => app.ledger.grant(grantRequest(userId, 1_000))));
  for (let movement = 1; movement < MOVEMENTS_EACH; movement += 1)
    await Promise.all(users.map((userId) => app.ledger.narrate(narrationRequest(userId))));
  await app.db.$executeRawUnsafe('VACUUM ANALYZE');

  const { reconcileCredits } = await compiled<typeof Reconcile>(
    'services/reconciliation/reconcile.js',
  );
  const { makeAnchor } = await compiled<typeof MakeAnchor>('services/anchors/make-anchor.js');
  const { compareWithAnchor, openAnchor } = await compiled<typeof Compare>(
    'services/anchors/compare.js',
  );
  const { listAnchorKeys } = await compiled<typeof Keys>('services/anchors/keys.js');
  const { proveAccount } = await compiled<typeof Prove>('services/anchors/prove.js');
  const folder = join(outside, 'kept');
  await mkdir(folder);
  const config = { ...app.config, anchors: { ...app.config.anchors, folder } };
  const keys = await listAnchorKeys(app.db);

  for (let run = 0; run < 2; run += 1) {
    const reconciliation = await reconcileCredits(app, { full: true });
    const { transactions } = reconciliation;
    const wrong = reconciliation.checks.filter(({ violations }) => violations > 0);
    const alone = await timed(() => reconcileCredits(app, { full: true }));
    const making = await timed(() => makeAnchor({ ...app, config }, reconciliation));
    const path = join(folder, (await readdir(folder)).sort().at(-1) ?? '');
    let differences = wrong.length;
    const comparing = await timed(async () => {
      const anchor = await openAnchor(path, keys);
      await compareWithAnchor(app, anchor, () => (differences += 1));
    });
    const [userId] = users;
    if (userId === undefined) throw new Error('There are no users.');
    const proving = await timed(async () => {
      const lines: string[] = [];
      for await (const line of proveAccount(app, userId, { path, keys }))
        lines.push(JSON.stringify(line));
      await writeFile(join(outside, 'proof.jsonl'), lines.join('\n'));
      await promisify(execFile)(process.execPath, [VERIFIER, join(outside, 'proof.jsonl')]);
    });
    print(
      `  ${transactions.toLocaleString('en')} transactions: verified alone ${(transactions / alone).toFixed(0)}/s, ` +
        `with an anchor ${(transactions / (alone + comparing)).toFixed(0)}/s  × ${(alone / (alone + comparing)).toFixed(2)}; ` +
        `the comparison by itself ${(transactions / comparing).toFixed(0)}/s` +
        (differences === 0 ? '' : `  ${String(differences)} differences`),
    );
    print(
      `  making one took ${making.toFixed(2)} s; one proof, with the stand-alone verifier, ${proving.toFixed(2)} s`,
    );
  }
  await rm(outside, { recursive: true, force: true });
  await compareWithFullCheck(app, users);
}

/** A check from checkpoints against one that reads all history: of an unchanged ledger, and after a part of it has moved. */
async function compareWithFullCheck(app: Bench['app'], users: readonly UserId[]): Promise<void> {
  const { reconcileCredits } = await compiled<typeof Reconcile>(
    'services/reconciliation/reconcile.js',
  );
  const check = async (full: boolean): Promise<{ seconds: number; said: string }> => {
    let said = '';
    const seconds = await timed(async () => {
      const { ok, transactions, transactionsRead } = await reconcileCredits(app, { full });
      said = `${transactionsRead.toLocaleString('en')} of ${transactions.toLocaleString('en')} transactions read`;
      if (!ok) said += ', not sound';
    });
    return { seconds, said };
  };
  const full = await check(true);
  print(`  full check ${full.seconds.toFixed(2)} s, ${full.said}`);
  for (const part of [0, 0.05, 1]) {
    const moving = users.slice(0, users.length * part);
    await Promise.all(moving.map((userId) => app.ledger.narrate(narrationRequest(userId))));
    const { seconds, said } = await check(false);
    print(
      `  from checkpoints, ${String(part * 100)} % of the accounts moved once: ${seconds.toFixed(2)} s, ${said}  ` +
        `× ${(seconds / full.seconds).toFixed(3)}`,
    );
  }
}
