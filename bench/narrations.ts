import type { UserId } from '../src/domain/ids.ts';
import type * as Settle from '../src/services/narrations/settle-narrations.ts';
import { grantRequest, makeUsers, narrationRequest } from './accounts.ts';
import { createBareNarration } from './bare-narration.ts';
import { compiled, describeSpeed, measure, print, type Bench } from './support.ts';
import type * as Db from '../src/infra/db.ts';

const USERS = 10_000;
const DURATION_MS = 4_000;

/** Accounts with points enough for any run, made by the ledger itself. @returns their ids */
async function makeAccounts({ app }: Bench): Promise<UserId[]> {
  const users = await makeUsers(app, USERS);
  const startedAt = performance.now();
  await Promise.all(users.map((userId) => app.ledger.grant(grantRequest(userId, 1_000_000))));
  const seconds = (performance.now() - startedAt) / 1000;
  print(`  grants, all at once                         ${(USERS / seconds).toFixed(0)}/s`);
  return users;
}

/** Narrations accepted: debit, audio row, job and chain, against the same statements on bare pg. */
export async function benchNarrations(bench: Bench): Promise<void> {
  const { app, databaseUrl } = bench;
  print('\nNarrations accepted (debit, audio row, job, chain)');
  const users = await makeAccounts(bench);
  const [hot] = users;
  if (hot === undefined) throw new Error('There are no accounts.');
  const { narrationSettler } = await compiled<typeof Settle>(
    'services/narrations/settle-narrations.js',
  );
  const { transact } = await compiled<typeof Db>('infra/db.js');
  const settle = narrationSettler(app.queue, app.mender);
  const alone = (userId: UserId): Promise<unknown> =>
    transact(app.db, (tx) => settle(tx, [narrationRequest(userId)], { wait: true }));
  const spread = (number: number): UserId => users[(number * 7919) % users.length] ?? hot;
  for (const [where, pick, flights] of [
    [`spread over ${USERS.toLocaleString('en')} accounts`, spread, [1, 16, 64]],
    ['on one hot account', () => hot, [1, 16, 64]],
  ] as const) {
    for (const inFlight of flights) {
      const bare = createBareNarration(databaseUrl, inFlight);
      const one = await measure(inFlight, DURATION_MS, (number) => bare.narrate(pick(number)));
      await bare.close();
      const together = await measure(inFlight, DURATION_MS, (number) =>
        app.ledger.narrate(narrationRequest(pick(number))),
      );
      print(`  ${where}, ${String(inFlight)} in flight`);
      print(`    one by one on bare pg  ${describeSpeed(one)}`);
      print(
        `    through the service    ${describeSpeed(together)}  × ${(together.perSecond / one.perSecond).toFixed(2)}`,
      );
      if (inFlight > 1) continue;
      const single = await measure(1, DURATION_MS, (number) => alone(pick(number)));
      print(
        `    one by one, Prisma     ${describeSpeed(single)}  service × ${(together.perSecond / single.perSecond).toFixed(2)} of it`,
      );
    }
  }
}
