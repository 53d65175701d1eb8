import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { notFound } from '../../src/domain/errors.js';
import { answer } from '../../src/services/ledger/commit/settlement.js';
import { asLotId, asUserId, type LotId } from '../../src/domain/ids.js';
import { planDebit } from '../../src/domain/ledger/allocation.js';
import { debit, expire, grant, POINTS_MAX, post, type Book } from '../../src/domain/ledger/book.js';
import { refund } from '../../src/domain/ledger/refund.js';
import { chainHash, GENESIS_HASH, type LedgerEntry } from '../../src/domain/ledger/chain.js';
import { isSpendable, lotStatus, type Lot } from '../../src/domain/ledger/lots.js';
import { outstandingByLot, planRefund } from '../../src/domain/ledger/refund.js';
import { priceOf } from '../../src/domain/pricing.js';
import { countCodePoints, slugify } from '../../src/domain/text.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = new Date('2026-11-22T14:00:00.000Z');
const after = (ms: number): Date => new Date(NOW.getTime() + ms);

const lots = fc
  .array(
    fc.record({
      priority: fc.integer({ min: 1, max: 3 }),
      granted: fc.integer({ min: 1, max: 50 }),
      used: fc.nat(50),
      grantedAt: fc.integer({ min: -30, max: -1 }).map((days) => after(days * DAY_MS)),
      expiresAt: fc.option(fc.integer({ min: -3, max: 5 }).map((days) => after(days * DAY_MS))),
      revokedAt: fc.option(fc.constant(after(-DAY_MS)), { freq: 5 }),
    }),
    { maxLength: 12 },
  )
  .map((records) =>
    records.map(({ used, granted, ...rest }, index): Lot => ({
      ...rest,
      id: asLotId(`lot-${String(index).padStart(2, '0')}`),
      source: 'FREE',
      granted,
      remaining: Math.max(0, granted - used),
      parentLotId: null,
      period: null,
      priceMinor: null,
      currency: null,
    })),
  );

test.each([
  [0, 1],
  [1, 1],
  [999, 1],
  [1000, 1],
  [1001, 2],
  [2000, 2],
  [2001, 3],
  [10_000, 10],
])('%d code points cost %d', (characters, points) => {
  expect(priceOf(characters, 1000)).toBe(points);
});

test('an emoji is one character, also with half a pair around', () => {
  expect(countCodePoints('a👍z')).toBe(3);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(countCodePoints(text)).toBe(Array.from(text).length);
    }),
  );
});

test.each([
  ['The Łódź Cat’s “Tale”', 'the-lodz-cats-tale'],
  ['  ¡Olé!  ', 'ole'],
  ['Straße & Œuvre', 'strasse-oeuvre'],
  ['夜', ''],
])('the slug of %s is %s', (title, slug) => {
  expect(slugify(title)).toBe(slug);
});

describe('a lot', () => {
  const lot = { expiresAt: NOW, revokedAt: null };
  test('is gone at the instant of its expiry, and there a millisecond before', () => {
    expect(isSpendable(lot, NOW)).toBe(false);
    expect(isSpendable(lot, after(-1))).toBe(true);
    expect(isSpendable({ ...lot, revokedAt: NOW }, after(-1))).toBe(false);
  });
  test.each([
    ['ACTIVE', { remaining: 1, expiresAt: null, revokedAt: null }],
    ['EXHAUSTED', { remaining: 0, expiresAt: null, revokedAt: null }],
    ['EXPIRED', { remaining: 1, expiresAt: NOW, revokedAt: null }],
    ['REVOKED', { remaining: 0, expiresAt: NOW, revokedAt: NOW }],
  ])('is %s', (status, state) => {
    expect(lotStatus(state, NOW)).toBe(status);
  });
});

describe('a debit', () => {
  test('takes exactly its amount from spendable lots in burn order, or nothing', () => {
    fc.assert(
      fc.property(lots, fc.integer({ min: 1, max: 120 }), (all, amount) => {
        const plan = planDebit(all, amount, NOW);
        const spendable = all.filter((lot) => lot.remaining > 0 && isSpendable(lot, NOW));
        const available = spendable.reduce((sum, lot) => sum + lot.remaining, 0);
        expect(plan.available).toBe(available);
        expect(plan.allocations === null).toBe(available < amount);
        const taken = plan.allocations ?? [];
        if (plan.allocations !== null)
          expect(-taken.reduce((sum, part) => sum + part.amount, 0)).toBe(amount);
        const byId = new Map(all.map((lot) => [lot.id, lot]));
        const used = taken.map((part) => ({ lot: byId.get(part.lotId), taken: -part.amount }));
        for (const { lot, taken: points } of used) {
          expect(spendable).toContain(lot);
          expect(points).toBeGreaterThan(0);
          expect(points).toBeLessThanOrEqual(lot?.remaining ?? 0);
        }
        // All but the last are emptied, and nothing that burns earlier is passed over.
        for (const { lot, taken: points } of used.slice(0, -1)) expect(points).toBe(lot?.remaining);
        const key = (lot?: Lot): string =>
          [
            lot?.priority,
            lot?.expiresAt?.toISOString() ?? '9999',
            lot?.grantedAt.toISOString(),
            lot?.id,
          ].join(' ');
        const order = spendable.map((lot) => key(lot)).sort();
        expect(used.map(({ lot }) => key(lot))).toEqual(order.slice(0, used.length));
      }),
    );
  });
});

describe('a refund', () => {
  test('gives back what is outstanding, last taken first, and never wakes a dead lot', () => {
    const parts = lots.map((all) =>
      all.map((lot) => ({ lot, outstanding: lot.granted - lot.remaining })),
    );
    fc.assert(
      fc.property(parts, fc.constantFrom('GRACE' as const, 'FORFEIT' as const), (taken, policy) => {
        const plan = planRefund(taken, after(-HOUR_MS), NOW, policy);
        const open = taken.filter((part) => part.outstanding > 0).reverse();
        expect(plan.returned).toEqual(
          open.map(({ lot, outstanding }) => ({ lotId: lot.id, amount: outstanding })),
        );
        const dead = open.filter(({ lot }) => !isSpendable(lot, NOW));
        expect(plan.closings.map(({ lotId, amount }) => [lotId, -amount])).toEqual(
          dead.map(({ lot, outstanding }) => [lot.id, outstanding]),
        );
        const lapsed = dead.filter(
          ({ lot: { expiresAt, revokedAt } }) =>
            revokedAt === null || (expiresAt !== null && expiresAt <= revokedAt),
        );
        expect(plan.grace.map(({ parent, amount }) => [parent.id, amount])).toEqual(
          policy === 'GRACE' ? lapsed.map(({ lot, outstanding }) => [lot.id, outstanding]) : [],
        );
        for (const { expiresAt } of plan.grace) {
          const livesMs = expiresAt.getTime() - NOW.getTime();
          expect(livesMs).toBeGreaterThanOrEqual(DAY_MS);
          expect(livesMs).toBeLessThanOrEqual(7 * DAY_MS);
        }
      }),
    );
  });

  test.each([
    [HOUR_MS, DAY_MS],
    [3 * DAY_MS, 3 * DAY_MS],
    [30 * DAY_MS, 7 * DAY_MS],
  ])('a lot that had %d ms left when it was debited makes good for %d ms', (leftMs, graceMs) => {
    const expiresAt = after(-1);
    const lot: Lot = {
      id: asLotId('lot'),
      source: 'EVENT',
      priority: 10,
      granted: 5,
      remaining: 0,
      grantedAt: after(-60 * DAY_MS),
      expiresAt,
      revokedAt: null,
      parentLotId: null,
      period: null,
      priceMinor: null,
      currency: null,
    };
    const debitedAt = new Date(expiresAt.getTime() - leftMs);
    const plan = planRefund([{ lot, outstanding: 5 }], debitedAt, NOW, 'GRACE');
    expect(plan.grace).toEqual([{ parent: lot, amount: 5, expiresAt: after(graceMs) }]);
  });

  test('what earlier refunds gave back is not outstanding', () => {
    const id = asLotId('lot');
    expect(outstandingByLot([{ lotId: id, amount: -5 }], [{ lotId: id, amount: 3 }])).toEqual(
      new Map([[id, 2]]),
    );
  });
});

function emptyBook(): Book {
  return {
    userId: asUserId('user'),
    now: NOW,
    closed: false,
    closedUntil: null,
    lastSeq: 0,
    headHash: GENESIS_HASH,
    balance: 0,
    lots: new Map<LotId, Lot>(),
    entries: [],
    newLots: new Set(),
    changedLots: new Set(),
    unsealedLots: [],
    uncoveredRevocations: [],
  };
}

describe('a book', () => {
  const about = (key: string): { reason: string; idempotencyKey: string } => ({
    reason: 'test',
    idempotencyKey: key,
  });

  test('books a lapse at its expiry, and now where the books of then are closed', () => {
    const lapsesAt = new Date(NOW.getTime() - 60_000);
    const effects = [null, new Date(lapsesAt.getTime() - 1), lapsesAt].map((closedUntil) => {
      const book = { ...emptyBook(), now: new Date(lapsesAt.getTime() - 60_000) };
      const terms = { source: 'FREE', priority: 50, amount: 3, expiresAt: lapsesAt } as const;
      grant(book, terms, about('a'));
      const [lotId] = [...book.lots.keys()];
      return expire({ ...book, now: NOW, closedUntil }, lotId ?? asLotId(''))?.effectiveAt;
    });
    expect(effects).toEqual([lapsesAt, lapsesAt, NOW]);
  });

  test('numbers, sums and chains its entries', () => {
    const book = emptyBook();
    grant(book, { source: 'FREE', priority: 50, amount: 10, expiresAt: null }, about('a'));
    debit(book, 4, about('b'));
    expect(
      book.entries.map(({ seq, amount, balanceAfter }) => [seq, amount, balanceAfter]),
    ).toEqual([
      [1, 10, 10],
      [2, -4, 6],
    ]);
    const [first, second] = book.entries;
    expect(second && first && chainHash(first.hash, second)).toEqual(second?.hash);
    expect(book.headHash).toEqual(second?.hash);
  });

  test('refuses more than can be spent and leaves no trace', () => {
    const book = emptyBook();
    grant(book, { source: 'FREE', priority: 50, amount: 3, expiresAt: null }, about('a'));
    expect(() => debit(book, 4, about('b'))).toThrow(
      expect.objectContaining({
        code: 'INSUFFICIENT_CREDITS',
        details: { required: 4, available: 3, shortfall: 1 },
      }),
    );
    expect(book.entries.length).toBe(1);
    expect(book.balance).toBe(3);
  });

  test('refuses a grant that lapses now, and one beyond what can be said', () => {
    const book = emptyBook();
    const terms = { source: 'FREE' as const, priority: 50, amount: 1, expiresAt: NOW };
    expect(() => grant(book, terms, about('a'))).toThrow(
      expect.objectContaining({ details: { field: 'expiresAt' } }),
    );
    book.balance = POINTS_MAX;
    expect(() => grant(book, { ...terms, expiresAt: null }, about('a'))).toThrow(
      expect.objectContaining({ details: { field: 'amount' } }),
    );
    expect(book.lots.size).toBe(0);
  });

  test('never lets a lot hold less than nothing or more than it was granted', () => {
    const book = emptyBook();
    grant(book, { source: 'FREE', priority: 50, amount: 3, expiresAt: null }, about('a'));
    const [lotId] = [...book.lots.keys()];
    for (const amount of [-4, 1]) {
      const allocations = [{ lotId: lotId ?? asLotId(''), amount }];
      expect(() => post(book, { ...about('b'), type: 'DEBIT', allocations })).toThrow(/would hold/);
    }
  });

  test('always has room for what must come back', () => {
    const book = emptyBook();
    const terms = { source: 'FREE' as const, priority: 50, amount: POINTS_MAX, expiresAt: null };
    grant(book, terms, about('a'));
    const taken = debit(book, 1_000_000, about('b'));
    grant(book, { ...terms, amount: 1_000_000 }, about('c'));
    const [lot] = [...book.lots.values()];
    const parts = lot === undefined ? [] : [{ lot, outstanding: 1_000_000 }];
    const debited = { ...taken, parts };
    expect(refund(book, debited, 'GRACE', { reason: null })?.balanceAfter).toBe(2_001_000_000);
  });

  test('what comes back to lapsed lots may lift an account above what can be granted', () => {
    const book = emptyBook();
    const expiresAt = new Date(NOW.getTime() + 1000);
    const terms = { source: 'FREE' as const, priority: 50, amount: 5, expiresAt };
    grant(book, terms, about('a'));
    const taken = debit(book, 5, about('b'));
    const [lot] = [...book.lots.values()];
    grant(book, { ...terms, amount: POINTS_MAX, expiresAt: null }, about('c'));
    const later = { ...book, now: new Date(NOW.getTime() + 2000) };
    const debited = { ...taken, parts: lot === undefined ? [] : [{ lot, outstanding: 5 }] };
    expect(refund(later, debited, 'GRACE', { reason: null })?.amount).toBe(5);
    expect(later.balance).toBe(POINTS_MAX + 5);
  });

  test('nothing is made good for to an account that is closed', () => {
    const book = emptyBook();
    const expiresAt = new Date(NOW.getTime() + 1000);
    grant(book, { source: 'FREE', priority: 50, amount: 5, expiresAt }, about('a'));
    const taken = debit(book, 5, about('b'));
    const [lot] = [...book.lots.values()];
    const later = { ...book, closed: true, now: new Date(NOW.getTime() + 2000) };
    const debited = { ...taken, parts: lot === undefined ? [] : [{ lot, outstanding: 5 }] };
    expect(refund(later, debited, 'GRACE', { reason: null })?.amount).toBe(5);
    expect(later.entries.map(({ type }) => type)).toEqual(['GRANT', 'DEBIT', 'REFUND', 'EXPIRY']);
    expect(later.balance).toBe(0);
  });

  test('a refusal after something was booked is no refusal, so that nothing of it is saved', () => {
    const book = emptyBook();
    const refuse = (): never => {
      grant(book, { source: 'FREE', priority: 50, amount: 3, expiresAt: null }, about('a'));
      throw notFound('debit');
    };
    expect(() => answer(book, refuse)).toThrow('A command was refused after it had booked.');
    expect(answer(emptyBook(), () => debit(emptyBook(), 1, about('a')))).toMatchObject({
      code: 'INSUFFICIENT_CREDITS',
    });
  });

  test('a lot that holds points after its expiry was booked can be closed once more, under a key of its own', () => {
    const book = emptyBook();
    const terms = { source: 'FREE' as const, priority: 50, amount: 3, expiresAt: after(HOUR_MS) };
    const [part] = grant(book, terms, about('a')).allocations;
    const lot = part === undefined ? undefined : book.lots.get(part.lotId);
    if (lot === undefined) throw new Error('There is no lot.');
    book.lots.set(lot.id, { ...lot, lapseBooked: true, expireKeyTaken: true });
    expect(expire(book, lot.id)?.idempotencyKey).toBe(`expire:${lot.id}:2`);
    expect(expire(book, lot.id)).toBeNull();
  });

  test('a second refund of a debit changes nothing', () => {
    const book = emptyBook();
    grant(book, { source: 'FREE', priority: 50, amount: 3, expiresAt: null }, about('a'));
    const { seq, effectiveAt, allocations } = debit(book, 2, about('b'));
    const parts = allocations.flatMap(({ lotId, amount }) => {
      const lot = book.lots.get(lotId);
      return lot === undefined ? [] : [{ lot, outstanding: -amount }];
    });
    const debited = { seq, effectiveAt, audioId: null, storyId: null, parts };
    expect(refund(book, debited, 'GRACE', { reason: 'test' })?.amount).toBe(2);
    expect(refund(book, { ...debited, parts: [] }, 'GRACE', { reason: 'test' })).toBeNull();
    expect(book.balance).toBe(3);
  });
});

test('the chain is what any language can compute', () => {
  const entry: LedgerEntry = {
    userId: '01a20913-a9d3-757e-8591-f24872fd11ac',
    seq: 2,
    id: '01a20913-a9d3-757e-8591-f24872fd11ad',
    type: 'DEBIT',
    amount: -3,
    balanceAfter: 7,
    effectiveAt: NOW,
    recordedAt: NOW,
    reason: 'Narration of “Łódź”',
    idempotencyKey: 'audio:x:1',
    requestHash: new Uint8Array([1, 171]),
    audioId: 'x',
    storyId: null,
    debitSeq: null,
    actorId: null,
    allocations: [
      { lotId: asLotId('l1'), amount: -2 },
      { lotId: asLotId('l2'), amount: -1 },
    ],
    lotTerms: [['l1', 'EVENT', '10', '3', NOW.toISOString(), '', '', '']],
    revokedLots: [asLotId('l3')],
  };
  const text =
    '["2","01a20913-a9d3-757e-8591-f24872fd11ac","2","01a20913-a9d3-757e-8591-f24872fd11ad","DEBIT","-3","7",' +
    '"2026-11-22T14:00:00.000Z","2026-11-22T14:00:00.000Z","Narration of “Łódź”","audio:x:1","01ab","x","","","",' +
    '[["l1","-2"],["l2","-1"]],[["l1","EVENT","10","3","2026-11-22T14:00:00.000Z","","",""]],["l3"]]';
  const expected = createHash('sha256')
    .update(Buffer.alloc(32))
    .update(Buffer.from(text, 'utf8'))
    .digest('hex');
  expect(Buffer.from(chainHash(GENESIS_HASH, entry)).toString('hex')).toBe(expected);
});
