/**
 * Guards of the ledger, each taken away in turn. `tests` are the arguments of jest that must fail then.
 * Where two guards stand one behind the other, the one in front is listed alone, and both together.
 */
const RACES = ['test/ledger/races'];
const MODEL = ['test/ledger/model'];
const DOMAIN = ['test/domain/ledger'];
const LEDGER = ['test/ledger/ledger'];
const ADMINISTRATION = ['test/ledger/administration'];
const HELD = ['test/ledger/held'];
const CLOSING = ['test/ledger/closing'];
const STATEMENTS = ['test/ledger/statements'];
const APPROVALS = ['test/ledger/approvals'];
const APPROVAL_RACES = ['test/ledger/approval-races'];

const lock = {
  file: 'src/services/ledger/accounts.sql.ts',
  find: 'FOR UPDATE ${wait ? Prisma.empty : Prisma.sql`SKIP LOCKED`}',
  replace: '',
};
const heldUp = {
  file: 'src/services/ledger/accounts.sql.ts',
  find: 'const HELD_UP_MS = 50;',
  replace: 'const HELD_UP_MS = 5_000;',
};
const comparison = {
  file: 'src/services/ledger/write-books.sql.ts',
  find: ' AND a.last_seq = r.read_seq',
  replace: '',
};
const lapsedInCode = {
  file: 'src/domain/ledger/book.ts',
  find: 'if (remaining === 0 || revokedAt !== null || !hasLapsed(lot, book.now)) return null;',
  replace: 'if (remaining === 0 || revokedAt !== null) return null;',
};
const lapsedInSql = {
  file: 'src/services/maintenance/maintenance.sql.ts',
  find: 'AND expires_at <= ${until}::timestamptz',
  replace: "AND expires_at <= ${until}::timestamptz + interval '100 days'",
};
const inMigration = (find, replace = '') => ({
  file: 'prisma/migrations/20261123000000_init/migration.sql',
  find,
  replace,
});
const inBook = (find, replace) => ({ file: 'src/domain/ledger/book.ts', find, replace });

export const MUTATIONS = [
  { guard: 'the account is locked', changes: [lock], tests: RACES },
  {
    guard: 'the account is locked, and what was read is compared',
    changes: [lock, comparison],
    tests: RACES,
  },
  {
    guard: 'a batch waits for no account: it is skipped, or refused in a moment',
    changes: [{ ...lock, replace: 'FOR UPDATE' }, heldUp],
    tests: LEDGER,
  },
  {
    guard: 'a batch waits for no row or key for long',
    changes: [heldUp],
    tests: HELD,
  },
  {
    guard: 'a batch that is refused for a lock is split',
    changes: [
      {
        file: 'src/services/ledger/commit/settlement.ts',
        find: 'if (error instanceof DomainError && !isHeld)',
        replace: 'if (error instanceof DomainError)',
      },
    ],
    tests: HELD,
  },
  {
    guard: 'what a grace lot holds was granted before',
    changes: [
      {
        file: 'src/services/credits/past/flows.sql.ts',
        find: "'refund:%' THEN 'GRACE'",
        replace: "'refund:%' THEN 'GRANT'",
      },
    ],
    tests: ['test/ledger/reports'],
  },
  {
    guard: 'a grant to many and its job are one commit',
    changes: [
      {
        file: 'src/services/credits/bulk-grant-orders.ts',
        find: 'await queue.enqueue(tx, finishBulkGrantQueue,',
        replace: 'if (key === null) await queue.enqueue(tx, finishBulkGrantQueue,',
      },
    ],
    tests: ['test/ledger/interrupted'],
  },
  {
    guard: 'a revocation of a grant to many and its job are one commit',
    changes: [
      {
        file: 'src/services/credits/bulk-revocation/bulk-revocation-orders.ts',
        find: 'await app.queue.enqueue(tx, finishBulkRevocationQueue,',
        replace: 'if (key === null) await app.queue.enqueue(tx, finishBulkRevocationQueue,',
      },
    ],
    tests: ['test/ledger/interrupted'],
  },
  {
    guard: 'a grant to many is finished before it is revoked',
    changes: [
      {
        file: 'src/services/credits/bulk-revocation/bulk-revocation-orders.ts',
        find: 'if (grant.result === null)',
        replace: 'if (grant === null)',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'what is refunded to revoked lots changes no sum',
    changes: [
      {
        file: 'src/services/credits/bulk-revocation/bulk-revocation.sql.ts',
        find: "WHEN t.idempotency_key LIKE 'refund:%:closing:%' THEN 'CLOSING'",
        replace: '',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'a part of a lot is no more than what is left',
    changes: [
      {
        file: 'src/domain/ledger/revoke-part.ts',
        find: 'if (amount > left)',
        replace: 'if (amount > lot.granted)',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'of a lot that has lapsed no part is left',
    changes: [
      {
        file: 'src/domain/ledger/revoke-part.ts',
        find: 'isSpendable(lot, book.now) ? lot.remaining : 0',
        replace: 'lot.remaining',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a part of a lot is revoked once for its key',
    changes: [
      {
        file: 'src/services/ledger/revocations.ts',
        find: 'const first = bookedUnder(idempotencyKey);',
        replace: "const first = bookedUnder(idempotencyKey + ' ');",
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a part of a lot proves no revocation of the lot',
    changes: [
      {
        file: 'src/services/reconciliation/invariants.sql.ts',
        find: "AND (t.idempotency_key LIKE 'revoke-part:%') IS NOT TRUE",
        replace: '',
      },
    ],
    tests: ['test/ledger/faults'],
  },
  {
    guard: 'a lot is gone at the instant of its expiry',
    changes: [
      {
        file: 'src/domain/ledger/lots.ts',
        find: 'lot.lapseBooked === true || at >= lot.expiresAt',
        replace: 'lot.lapseBooked === true || at > lot.expiresAt',
      },
    ],
    tests: DOMAIN,
  },
  {
    guard: 'the balance does not count a lot at the instant of its expiry',
    changes: [
      {
        file: 'src/services/credits/credits.sql.ts',
        find: 'AND clock.now < ${LAPSES_AT}`',
        replace: 'AND clock.now <= ${LAPSES_AT}`',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a revoked lot cannot be spent',
    changes: [
      {
        file: 'src/domain/ledger/lots.ts',
        find: 'lot.revokedAt === null && !hasLapsed(lot, at)',
        replace: '!hasLapsed(lot, at)',
      },
    ],
    tests: DOMAIN,
  },
  {
    guard: 'a debit is all or nothing',
    changes: [
      {
        file: 'src/domain/ledger/allocation.ts',
        find: 'if (available < amount) return { available, allocations: null };',
        replace: '',
      },
    ],
    tests: DOMAIN,
  },
  {
    guard: 'lots burn by priority',
    changes: [
      { file: 'src/domain/ledger/lots.ts', find: 'a.priority - b.priority ||', replace: '' },
    ],
    tests: MODEL,
  },
  {
    guard: 'lots burn by expiry, never last',
    changes: [
      {
        file: 'src/domain/ledger/lots.ts',
        find: 'compareExpiry(a.expiresAt, b.expiresAt) ||',
        replace: '',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a lot holds at least nothing and at most its grant, in code',
    changes: [inBook('if (remaining < 0 || remaining > lot.granted) {', 'if (remaining < -9e9) {')],
    tests: DOMAIN,
  },
  {
    guard: 'a lot holds at least nothing and at most its grant, in the database',
    changes: [inMigration('CHECK (0 <= "remaining" AND "remaining" <= "granted")', 'CHECK (true)')],
    tests: LEDGER,
  },
  {
    guard: 'history only accumulates',
    changes: [
      inMigration(
        'CREATE TRIGGER "credit_transactions_append_only" BEFORE UPDATE OR DELETE',
        'CREATE TRIGGER "credit_transactions_append_only" BEFORE DELETE',
      ),
    ],
    tests: LEDGER,
  },
  {
    guard: 'a key is used once, in code',
    changes: [
      {
        file: 'src/services/ledger/grants.ts',
        find: 'if (first !== undefined) {',
        replace: 'if (first !== undefined && request.amount === null) {',
      },
    ],
    tests: LEDGER,
  },
  {
    guard: 'a key is used once, in the database',
    changes: [
      inMigration(
        'CREATE UNIQUE INDEX "credit_transactions_one_a_key"',
        'CREATE INDEX "credit_transactions_one_a_key"',
      ),
    ],
    tests: LEDGER,
  },
  {
    guard: 'one grant a month, in the database',
    changes: [
      inMigration(
        'CREATE UNIQUE INDEX "credit_lots_one_a_period"',
        'CREATE INDEX "credit_lots_one_a_period"',
      ),
    ],
    tests: LEDGER,
  },
  {
    guard: 'a key that is used again must come with the same request',
    changes: [
      {
        file: 'src/domain/ledger/idempotency.ts',
        find: 'if (first === null || Buffer.compare(first, now) !== 0) throw idempotencyKeyReused();',
        replace: 'if (first === now) throw idempotencyKeyReused();',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a refund gives back only what is outstanding',
    changes: [
      {
        file: 'src/services/ledger/books.ts',
        find: 'outstanding: -row.taken - row.returned',
        replace: 'outstanding: -row.taken',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a refund never wakes a dead lot',
    changes: [
      {
        file: 'src/domain/ledger/refund.ts',
        find: 'closings: dead.map(',
        replace: 'closings: dead.slice(dead.length).map(',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'a grace lot lives at least a day',
    changes: [
      {
        file: 'src/domain/ledger/refund.ts',
        find: 'Math.max(GRACE_AT_LEAST_MS, leftMs)',
        replace: 'Math.max(1, leftMs)',
      },
    ],
    tests: MODEL,
  },
  {
    guard: 'the sweep takes only what has lapsed: both of its looks',
    changes: [lapsedInCode, lapsedInSql],
    tests: MODEL,
  },
  {
    guard: 'a grant lapses in the future',
    changes: [
      inBook(
        'if (terms.expiresAt !== null && terms.expiresAt <= book.now) {',
        'if (terms === null) {',
      ),
    ],
    tests: DOMAIN,
  },
  {
    guard: 'no account holds more than can be said',
    changes: [inBook('if (book.balance + terms.amount > POINTS_MAX) {', 'if (terms === null) {')],
    tests: DOMAIN,
  },
  {
    guard: 'a revocation finds what was expected',
    changes: [
      {
        file: 'src/services/ledger/revocations.ts',
        find: 'if (expectedRemaining !== null && expectedRemaining !== remaining) {',
        replace: 'if (expectedRemaining === -1) {',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'twice revoked is once',
    changes: [
      {
        file: 'src/services/ledger/revocations.ts',
        find: 'if (lot.revokedAt !== null) return repeated(bookedUnder, request);',
        replace: '',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'the allowance is for the verified',
    changes: [
      {
        file: 'src/services/maintenance/maintenance.sql.ts',
        find: 'AND u.suspended_at IS NULL AND u.email_verified_at IS NOT NULL',
        replace: 'AND u.suspended_at IS NULL',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'the allowance is for the active',
    changes: [
      {
        file: 'src/services/maintenance/maintenance.sql.ts',
        find: 'AND u.suspended_at IS NULL AND u.email_verified_at IS NOT NULL',
        replace: 'AND u.email_verified_at IS NOT NULL',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'what administrators do is noted',
    changes: [
      {
        file: 'src/services/ledger/books.ts',
        find: 'if (actions.length > 0) await writeAudit(tx, actions);',
        replace: '',
      },
    ],
    tests: ADMINISTRATION,
  },
  {
    guard: 'the chain covers who did it',
    changes: [{ file: 'src/domain/ledger/chain.ts', find: "entry.actorId ?? '',", replace: "''," }],
    tests: ADMINISTRATION,
  },
  {
    guard: 'the chain covers the terms of lots',
    changes: [
      { file: 'src/domain/ledger/chain.ts', find: '    entry.lotTerms,', replace: '    [],' },
    ],
    tests: ['test/ledger/faults'],
  },
  {
    guard: 'the first movement after the upgrade covers the lots that were there',
    changes: [
      {
        file: 'src/services/ledger/books.ts',
        find: '({ format }) => format < CHAIN_FORMAT',
        replace: '() => false',
      },
    ],
    tests: ['test/ledger/upgraded'],
  },
  {
    guard: 'what follows from a refund counts with the refund',
    changes: [
      {
        file: 'src/services/credits/past/flows.sql.ts',
        find: "CASE WHEN t.idempotency_key LIKE 'refund:%' THEN t.recorded_at ELSE t.effective_at END",
        replace: 't.effective_at',
      },
    ],
    tests: STATEMENTS,
  },
  {
    guard: 'a statement has the lapses that were booked after its month',
    changes: [
      {
        file: 'src/services/accounting/statement.ts',
        find: 'untilSeq: end.countedSeq',
        replace: 'untilSeq: end.recordedSeq',
      },
    ],
    tests: STATEMENTS,
  },
  {
    guard: 'the address of a statement is good for one user',
    changes: [
      {
        file: 'src/services/accounting/statement-csv.ts',
        find: '`statement/${userId}/${month}`',
        replace: '`statement/${month}`',
      },
    ],
    tests: STATEMENTS,
  },
  {
    guard: 'no text of a CSV is a formula',
    changes: [{ file: 'src/services/accounting/csv.ts', find: "`'${cell}`", replace: 'cell' }],
    tests: STATEMENTS,
  },
  {
    guard: 'a closed month takes no movement',
    changes: [
      {
        file: 'prisma/migrations/20261130130000_closed_months/migration.sql',
        find: '"effective_at" <= closed_until',
        replace: 'false',
      },
    ],
    tests: CLOSING,
  },
  {
    guard: 'a month is closed when no movement is being written',
    changes: [
      {
        file: 'src/services/accounting/closed-months.sql.ts',
        find: 'LOCK TABLE credit_transactions IN SHARE ROW EXCLUSIVE MODE',
        replace: 'SELECT 1',
      },
    ],
    tests: CLOSING,
  },
  {
    guard: 'a month is closed when it is over',
    changes: [
      {
        file: 'src/services/accounting/close-month.ts',
        find: 'if (now <= closableAt)',
        replace: 'if (now.getTime() === 0)',
      },
    ],
    tests: CLOSING,
  },
  {
    guard: 'a month is closed when its lapses are booked',
    changes: [
      {
        file: 'src/services/accounting/close-month.ts',
        find: 'if (await hasUnbookedLapse(tx, month.endsAt))',
        replace: 'if ((await hasUnbookedLapse(tx, month.endsAt)) && period === null)',
      },
    ],
    tests: CLOSING,
  },
  {
    guard: 'a refund into a lot of a closed month is closed in the open one',
    changes: [
      {
        file: 'src/domain/ledger/lots.ts',
        find: 'expiresAt === null || (closedUntil !== null && expiresAt <= closedUntil)',
        replace: 'expiresAt === null || closedUntil?.getTime() === 0',
      },
    ],
    tests: CLOSING,
  },
  {
    guard: 'points above the limit need an approval, and the limit itself does not',
    changes: [
      {
        file: 'src/services/credits/approvals/gate.ts',
        find: 'limit.today + points > limit.above',
        replace: 'limit.today + points >= limit.above',
      },
    ],
    tests: APPROVALS,
  },
  {
    guard: 'the grants of an administrator in a day count together',
    changes: [
      {
        file: 'src/services/credits/approvals/gate.ts',
        find: 'if (counted.size > 0) ',
        replace: 'if (counted.size > 99) ',
      },
    ],
    tests: APPROVALS,
  },
  {
    guard: 'a proposal is locked while it is decided',
    changes: [
      {
        file: 'src/services/credits/approvals/proposals.sql.ts',
        find: 'WHERE id = ${id}::uuid FOR UPDATE`',
        replace: 'WHERE id = ${id}::uuid`',
      },
    ],
    tests: APPROVAL_RACES,
  },
  {
    guard: 'a proposer cannot decide',
    changes: [
      {
        file: 'src/services/credits/approvals/decide.ts',
        find: 'if (proposal.proposerId === actorId)',
        replace: 'if (proposal.proposerId === id)',
      },
    ],
    tests: APPROVALS,
  },
  {
    guard: 'a proposal cannot be approved while its proposer is not an active administrator',
    changes: [
      {
        file: 'src/services/credits/approvals/carry-out.ts',
        find: 'if (!mayAct(proposerId))',
        replace: 'if (!mayAct(approverId))',
      },
    ],
    tests: APPROVALS,
  },
  {
    guard: 'a proposal lapses',
    changes: [
      {
        file: 'src/services/credits/approvals/proposals.sql.ts',
        find: "ELSE 'LAPSED' END",
        replace: "ELSE 'PENDING' END",
      },
    ],
    tests: APPROVALS,
  },
];
