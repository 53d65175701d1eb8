import type * as Db from '../src/infra/db.ts';
import type { LotId, UserId } from '../src/domain/ids.ts';
import type * as Grants from '../src/services/ledger/grants.ts';
import type * as Refunds from '../src/services/ledger/refunds.ts';
import type * as Revocations from '../src/services/ledger/revocations.ts';
import { grantRequest, makeUsers, narrationRequest } from './accounts.ts';
import { compiled, describeSpeed, measure, print, type Bench } from './support.ts';

const USERS = 10_000;
const LOTS = 60_000;
const DURATION_MS = 3_000;

/** Each piece of work, alone in a Prisma transaction and through the service. */
interface Case {
  readonly name: string;
  readonly alone: (number: number) => Promise<unknown>;
  readonly together: (number: number) => Promise<unknown>;
}

/** Grants, refunds and revocations: one by one through Prisma, and gathered. */
export async function benchCommands({ app }: Bench): Promise<void> {
  print('\nOther commands, spread over 10,000 accounts');
  const { transact } = await compiled<typeof Db>('infra/db.js');
  const { settleGrants } = await compiled<typeof Grants>('services/ledger/grants.js');
  const { refundSettler } = await compiled<typeof Refunds>('services/ledger/refunds.js');
  const { revocationSettler } = await compiled<typeof Revocations>(
    'services/ledger/revocations.js',
  );
  const settleRefunds = refundSettler('GRACE', app.mender);
  const users = await makeUsers(app, USERS);
  const [first] = users;
  if (first === undefined) throw new Error('There are no users.');
  const user = (number: number): UserId => users[(number * 7919) % users.length] ?? first;
  await Promise.all(users.map((userId) => app.ledger.grant(grantRequest(userId, 1_000_000))));

  // Debits and lots that are used up, one a command.
  const debits = await Promise.all(
    Array.from({ length: LOTS }, async (_, number) => {
      const userId = user(number);
      const { debitSeq } = await app.ledger.narrate(narrationRequest(userId));
      return { userId, debitSeq: debitSeq ?? 0, reason: 'bench', actorId: null };
    }),
  );
  const lots = await Promise.all(
    Array.from({ length: LOTS }, async (_, number) => {
      const userId = user(number);
      const { lotId } = await app.ledger.grant(grantRequest(userId, 5));
      return {
        userId,
        lotId: lotId as LotId,
        expectedRemaining: null,
        reason: 'bench',
        actorId: first,
      };
    }),
  );
  const next = <Value>(values: Value[]): Value => {
    const value = values.pop();
    if (value === undefined) throw new Error('There is nothing left to measure with.');
    return value;
  };
  const cases: Case[] = [
    {
      name: 'grants',
      alone: (number) =>
        transact(app.db, (tx) => settleGrants(tx, [grantRequest(user(number), 5)], { wait: true })),
      together: (number) => app.ledger.grant(grantRequest(user(number), 5)),
    },
    {
      name: 'refunds',
      alone: () => transact(app.db, (tx) => settleRefunds(tx, [next(debits)], { wait: true })),
      together: () => app.ledger.refund(next(debits)),
    },
    {
      name: 'revocations',
      alone: () =>
        transact(app.db, (tx) => revocationSettler(app.mender)(tx, [next(lots)], { wait: true })),
      together: () => app.ledger.revoke(next(lots)),
    },
  ];
  for (const { name, alone, together } of cases) {
    for (const inFlight of [1, 16, 64]) {
      const one = await measure(inFlight, DURATION_MS, alone);
      const many = await measure(inFlight, DURATION_MS, together);
      print(`  ${name}, ${String(inFlight)} in flight`);
      print(`    one by one, Prisma     ${describeSpeed(one)}`);
      print(
        `    through the service    ${describeSpeed(many)}  × ${(many.perSecond / one.perSecond).toFixed(2)}`,
      );
    }
  }
}
