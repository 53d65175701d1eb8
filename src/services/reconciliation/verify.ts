import type { App } from '../../app.js';
import { asLotId } from '../../domain/ids.js';
import type { CreditTransactionType } from '../../domain/ledger/chain.js';
import type { CreditSource, Lot } from '../../domain/ledger/lots.js';
import {
  createReplay,
  isComplete,
  knowLots,
  replayEntry,
  type Replay,
  type ReplayedEntry,
} from '../../domain/ledger/replay.js';
import {
  CHAIN_INVARIANT,
  readAccountLengths,
  readBrokenLinks,
  readReplays,
  readWrongHeads,
  REPLAY_INVARIANT,
  type EntryTuple,
  type HistoryRange,
  type LotTuple,
  type PartTuple,
} from './chain.sql.js';
import { INVARIANTS, readViolations, type Invariant } from './invariants.sql.js';

/** Something that must not be, with what is known of where. */
export interface Violation {
  readonly invariant: string;
  readonly userId: string;
  readonly lotId: string | null;
  readonly seq: number | null;
  readonly audioId: string | null;
}

export interface Verification {
  readonly accounts: number;
  readonly transactions: number;
}

type Facts = Pick<App, 'db'>;
type Report = (violations: readonly Violation[]) => Promise<void>;

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const LAST_SEQ = 2_147_483_647;
const ACCOUNTS_AT_ONCE = 2_000;
/** Bounds what is in memory, and how long one statement takes. */
const TRANSACTIONS_AT_ONCE = 20_000;

/** All twelve, in the order of their numbers. */
export const LEDGER_INVARIANTS: readonly Pick<Invariant, 'number' | 'description'>[] = [
  ...INVARIANTS,
  CHAIN_INVARIANT,
  REPLAY_INVARIANT,
].sort((a, b) => Number(a.number) - Number(b.number));

/**
 * Checks every invariant for one user, or for all, a bounded part at a time and without locks: movements
 * that are booked meanwhile do not disturb it.
 * @param report is told what is wrong, as it is found
 */
export async function verifyLedger(
  app: Facts,
  report: Report,
  options: { userId?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Verification> {
  const { userId, signal } = options;
  let verified = { accounts: 0, transactions: 0 };
  for await (const part of partsOf(app, userId)) {
    signal?.throwIfAborted();
    await verifyPart(app, part, report);
    verified = {
      accounts: verified.accounts + part.accounts,
      transactions: verified.transactions + part.transactions,
    };
  }
  const whole = { from: userId ?? FIRST_ID, to: userId ?? LAST_ID };
  await checkInvariants(
    app,
    whole,
    INVARIANTS.filter(({ atOnce }) => atOnce === true),
    report,
  );
  return verified;
}

interface Part extends Verification {
  readonly from: string;
  readonly to: string;
}

/** Ranges of users without gaps between them, so that what belongs to nobody is found too. */
async function* partsOf(app: Facts, userId: string | undefined): AsyncGenerator<Part> {
  const last = userId ?? LAST_ID;
  let from = userId ?? FIRST_ID;
  let after = userId === undefined ? FIRST_ID : idBefore(userId);
  let [accounts, transactions] = [0, 0];
  for (;;) {
    const wanted = { after, to: last, limit: ACCOUNTS_AT_ONCE };
    const rows = await readAccountLengths(app.db, wanted);
    for (const row of rows) {
      // A long history is a part of its own, for only that is read a window at a time.
      if (accounts > 0 && transactions + row.lastSeq > TRANSACTIONS_AT_ONCE) {
        yield { from, to: idBefore(row.userId), accounts, transactions };
        from = row.userId;
        [accounts, transactions] = [0, 0];
      }
      accounts += 1;
      transactions += row.lastSeq;
      if (transactions < TRANSACTIONS_AT_ONCE) continue;
      yield { from, to: row.userId, accounts, transactions };
      from = idAfter(row.userId);
      [accounts, transactions] = [0, 0];
    }
    if (rows.length < ACCOUNTS_AT_ONCE) break;
    after = rows.at(-1)?.userId ?? last;
  }
  if (from <= last) yield { from, to: last, accounts, transactions };
}

const idAfter = (id: string): string => neighbour(id, 1n);
const idBefore = (id: string): string => neighbour(id, -1n);

function neighbour(id: string, step: bigint): string {
  const number = BigInt(`0x${id.replaceAll('-', '')}`) + step;
  const hex = number.toString(16).padStart(32, '0');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The three ways to look at a part share nothing, so they go side by side. */
async function verifyPart(app: Facts, part: Part, report: Report): Promise<void> {
  await Promise.all([
    checkInvariants(
      app,
      part,
      INVARIANTS.filter(({ atOnce }) => atOnce !== true),
      report,
    ),
    checkChains(app, part, report),
    checkReplays(app, part, report),
  ]);
}

async function checkInvariants(
  app: Facts,
  range: Pick<Part, 'from' | 'to'>,
  invariants: readonly Invariant[],
  report: Report,
): Promise<void> {
  for (const invariant of invariants) {
    const rows = await readViolations(app.db, invariant, range);
    await report(
      rows.map((row) => ({
        invariant: invariant.number,
        userId: row.user_id,
        lotId: row.lot_id ?? null,
        seq: row.seq ?? null,
        audioId: row.audio_id ?? null,
      })),
    );
  }
}

/** A long history is read a window at a time; the others are short enough to be read whole. */
function* windowsOf({ from, to, transactions, accounts }: Part): Generator<HistoryRange> {
  if (accounts > 1) {
    yield { from, to, afterSeq: 0, lastSeq: LAST_SEQ };
    return;
  }
  for (let afterSeq = 0; ; afterSeq += TRANSACTIONS_AT_ONCE) {
    const isLast = afterSeq + TRANSACTIONS_AT_ONCE >= transactions;
    yield { from, to, afterSeq, lastSeq: isLast ? LAST_SEQ : afterSeq + TRANSACTIONS_AT_ONCE };
    if (isLast) return;
  }
}

async function checkChains(app: Facts, part: Part, report: Report): Promise<void> {
  const found = (userId: string, seq: number | null): Violation => ({
    invariant: CHAIN_INVARIANT.number,
    userId,
    lotId: null,
    seq,
    audioId: null,
  });
  for (const range of windowsOf(part)) {
    const broken = await readBrokenLinks(app.db, range);
    await report(broken.map(({ userId, seq }) => found(userId, seq)));
  }
  const heads = await readWrongHeads(app.db, part);
  await report(heads.map(({ userId, seq }) => found(userId, seq)));
}

async function checkReplays(app: Facts, part: Part, report: Report): Promise<void> {
  let carried = new Map<string, Replay>();
  for (const range of windowsOf(part)) {
    const wrong: Violation[] = [];
    const replays = new Map<string, Replay>();
    for (const { userId, lots, entries } of await readReplays(app.db, range)) {
      const replay = carried.get(userId) ?? createReplay();
      replays.set(userId, replay);
      knowLots(replay, lots.map(lotOf));
      for (const entry of entries.map(entryOf)) {
        if (replayEntry(replay, entry)) continue;
        const { invariant, lotId, seq } = {
          invariant: REPLAY_INVARIANT.number,
          lotId: entry.allocations[0]?.lotId ?? null,
          seq: entry.seq,
        };
        wrong.push({ invariant, userId, lotId, seq, audioId: null });
      }
    }
    carried = replays;
    await report(wrong);
  }
  const unfinished = [...carried].filter(([, replay]) => !isComplete(replay));
  await report(
    unfinished.map(([userId]) => ({
      invariant: REPLAY_INVARIANT.number,
      userId,
      lotId: null,
      seq: null,
      audioId: null,
    })),
  );
}

const dateOrNull = (at: number | null): Date | null => (at === null ? null : new Date(at));

const lotOf = ([
  id,
  source,
  priority,
  granted,
  grantedAt,
  expires,
  revoked,
  parent,
]: LotTuple): Lot => ({
  id: asLotId(id),
  source: source as CreditSource,
  priority,
  granted,
  remaining: 0,
  grantedAt: new Date(grantedAt),
  expiresAt: dateOrNull(expires),
  revokedAt: dateOrNull(revoked),
  parentLotId: parent === null ? null : asLotId(parent),
  period: null,
});

const partOf = ([lotId, amount]: PartTuple): ReplayedEntry['allocations'][number] => ({
  lotId: asLotId(lotId),
  amount,
});

const entryOf = ([
  seq,
  type,
  effectiveAt,
  recordedAt,
  parts,
  debit,
]: EntryTuple): ReplayedEntry => ({
  seq,
  type: type as CreditTransactionType,
  effectiveAt: new Date(effectiveAt),
  recordedAt: new Date(recordedAt),
  allocations: parts.map(partOf),
  debit:
    debit === null
      ? null
      : {
          effectiveAt: new Date(debit[0]),
          allocations: (debit[1] ?? []).map(partOf),
          returnedBefore: (debit[2] ?? []).map(partOf),
        },
});
