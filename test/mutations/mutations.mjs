/**
 * Guards of the ledger, each taken away in turn. `tests` are the arguments of jest that must fail then.
 * Where two guards stand one behind the other, the one in front is listed alone, and both together.
 */
const RACES = ['test/ledger/races'];
const MODEL = ['test/ledger/model'];
const DOMAIN = ['test/domain/ledger'];
const LEDGER = ['test/ledger/ledger'];
const ADMINISTRATION = ['test/ledger/administration'];

const lock = {
  file: 'src/services/ledger/books.sql.ts',
  find: 'FOR UPDATE ${wait ? Prisma.empty : Prisma.sql`SKIP LOCKED`}',
  replace: '',
};
const comparison = {
  file: 'src/services/ledger/books.sql.ts',
  find: ' AND a.last_seq = r.read_seq',
  replace: '',
};
const lapsedInCode = {
  file: 'src/domain/ledger/book.ts',
  find: 'if (expiresAt === null || !hasLapsed({ expiresAt }, book.now)) return null;',
  replace: 'if (expiresAt === null) return null;',
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
    guard: 'a batch waits for no account',
    changes: [{ ...lock, replace: 'FOR UPDATE' }],
    tests: LEDGER,
  },
  {
    guard: 'a lot is gone at the instant of its expiry',
    changes: [
      {
        file: 'src/domain/ledger/lots.ts',
        find: 'lot.expiresAt !== null && at >= lot.expiresAt',
        replace: 'lot.expiresAt !== null && at > lot.expiresAt',
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
    changes: [inBook('if (book.balance + terms.amount > MOST_POINTS) {', 'if (terms === null) {')],
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
        find: 'return lot.revokedAt !== null;',
        replace: 'return false;',
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
];
