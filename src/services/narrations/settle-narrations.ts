import { priceChanged } from '../../domain/errors.js';
import { newId, rowKey, type RowKey, type UserId } from '../../domain/ids.js';
import { debit, type Book } from '../../domain/ledger/book.js';
import { assertSameRequest, keys } from '../../domain/ledger/idempotency.js';
import { isSpendable } from '../../domain/ledger/lots.js';
import type { Tx } from '../../infra/db.js';
import type { JobQueue, NewJob } from '../../infra/queue.js';
import type { Origin } from '../../infra/tracing/origin.js';
import { loadOpenLots } from '../ledger/books.js';
import { HELD, type Settle } from '../ledger/commit/settlement.js';
import { settling } from '../ledger/settling.js';
import { synthesizeAudioQueue, type NarrationJob } from '../queues.js';
import { mendOpenLots, type Mender } from '../repairs/mender.js';
import {
  lockNarrations,
  readAudioRequests,
  readNarrationStates,
  writeNarrations,
  type AudioRequestRow,
  type NarrationKey,
  type NarrationStateRow,
  type QueuedNarration,
} from './narrations.sql.js';

export interface NarrationRequest extends NarrationKey {
  readonly userId: UserId;
  /** Points. */
  readonly price: number;
  /** The request is refused if the price is higher. Null for no limit. */
  readonly maxCredits: number | null;
  readonly reason: string;
  readonly idempotencyKey: string | null;
  readonly requestHash: Uint8Array;
  /** The request that the job names, because a batch runs as a part of any one of its requests. */
  readonly origin?: Origin;
}

export interface NarrationOutcome {
  readonly audioId: string;
  /** The debit; null when an existing narration was returned without a charge. */
  readonly debitSeq: number | null;
  /** Whether this request began an attempt. A repeated request with its key does not. */
  readonly begun: boolean;
  /** Points that can be spent afterwards. */
  readonly balance: number;
}

/** A narration that is queued, with the request that has asked for it. */
type QueuedForRequest = QueuedNarration & { readonly origin: Origin | undefined };

interface Batch {
  readonly states: Map<RowKey, Pick<NarrationStateRow, 'id' | 'status' | 'attempt'>>;
  /** Narrations that need a new attempt, but whose rows another transaction holds. */
  readonly held: ReadonlySet<RowKey>;
  readonly known: Map<RowKey, Pick<AudioRequestRow, 'requestHash' | 'audioId' | 'debitSeq'>>;
  readonly queued: Map<string, QueuedForRequest>;
  readonly remembered: Parameters<typeof writeNarrations>[2][number][];
}

/**
 * Requests narrations. Debit, audio row and job are one commit. Refusals: INSUFFICIENT_CREDITS, PRICE_CHANGED,
 * IDEMPOTENCY_KEY_REUSED.
 */
export const narrationSettler = (
  queue: JobQueue,
  mender: Mender,
): Settle<NarrationRequest, NarrationOutcome> =>
  settling(
    async (tx, open, requests, options) => {
      const settleable = requests.filter((request) => open.books.has(request.userId));
      await loadOpenLots(tx, open);
      await mendOpenLots(tx, open, mender);
      return readBatch(tx, settleable, options);
    },
    (book, request, batch) => (isHeld(batch, request) ? HELD : narrate(book, batch, request)),
    async (tx, batch) => {
      const queued = [...batch.queued.values()];
      if (queued.length > 0 || batch.remembered.length > 0) {
        await writeNarrations(tx, queued, batch.remembered);
      }
      await queue.enqueue(tx, synthesizeAudioQueue, queued.map(jobOf));
    },
  );

async function readBatch(
  tx: Tx,
  requests: readonly NarrationRequest[],
  { wait }: { wait: boolean },
): Promise<Batch> {
  const keyed = requests.flatMap(({ userId, idempotencyKey: key }) =>
    key === null ? [] : [{ userId, key }],
  );
  const states = requests.length === 0 ? [] : await readNarrationStates(tx, requests);
  const known = keyed.length === 0 ? [] : await readAudioRequests(tx, keyed);
  const over = states.filter(isOver);
  const locked = over.length === 0 ? [] : await lockNarrations(tx, over, wait);
  const isLocked = new Set(locked.map(identity));
  return {
    // The rows that were locked are newer, because a state may have changed after the first read.
    states: new Map([...states, ...locked].map((row) => [identity(row), row])),
    held: new Set(over.map(identity).filter((narration) => !isLocked.has(narration))),
    known: new Map(known.map((row) => [rowKey(row.userId, row.idempotencyKey), row])),
    queued: new Map(),
    remembered: [],
  };
}

/** Whether it ended without a recording, so that a new request begins a new attempt. */
const isOver = ({ status }: Pick<NarrationStateRow, 'status'>): boolean =>
  status === 'FAILED' || status === 'CANCELLED';

/** Whether the request must wait for a row. A repeated request with its key writes nothing and needs no row. */
const isHeld = ({ held, known }: Batch, request: NarrationRequest): boolean =>
  held.has(identity(request)) && !known.has(rowKey(request.userId, request.idempotencyKey));

const identity = ({ userId, storyId, textHash, voiceId }: NarrationKey): RowKey =>
  rowKey(userId, storyId, textHash, voiceId);

/** Decides one request in memory, under the account's lock. */
function narrate(book: Book, batch: Batch, request: NarrationRequest): NarrationOutcome {
  const key =
    request.idempotencyKey === null ? null : rowKey(request.userId, request.idempotencyKey);
  const first = key === null ? undefined : batch.known.get(key);
  if (first !== undefined) {
    assertSameRequest(first.requestHash, request.requestHash);
    const { audioId, debitSeq } = first;
    return { audioId, debitSeq, begun: false, balance: spendable(book) };
  }
  const outcome = findOrCharge(book, batch, request);
  if (key !== null && request.idempotencyKey !== null) {
    batch.known.set(key, { ...outcome, requestHash: request.requestHash });
    batch.remembered.push({
      userId: request.userId,
      idempotencyKey: request.idempotencyKey,
      requestHash: Buffer.from(request.requestHash).toString('hex'),
      audioId: outcome.audioId,
      debitSeq: outcome.debitSeq,
      now: book.now,
    });
  }
  return { ...outcome, balance: spendable(book) };
}

function findOrCharge(
  book: Book,
  batch: Batch,
  request: NarrationRequest,
): Omit<NarrationOutcome, 'balance'> {
  const existing = batch.states.get(identity(request));
  if (existing !== undefined && !isOver(existing)) {
    return { audioId: existing.id, debitSeq: null, begun: false };
  }
  if (request.maxCredits !== null && request.price > request.maxCredits) {
    throw priceChanged(request.price);
  }
  const id = existing?.id ?? newId();
  const attempt = (existing?.attempt ?? 0) + 1;
  const { seq } = debit(book, request.price, {
    reason: request.reason,
    idempotencyKey: keys.debit(id, attempt),
    audioId: id,
    storyId: request.storyId,
  });
  const { userId, storyId, textHash, voiceId } = request;
  batch.states.set(identity(request), { id, attempt, status: 'QUEUED' });
  batch.queued.set(id, {
    userId,
    storyId,
    textHash,
    voiceId,
    id,
    attempt,
    jobId: newId(),
    debitSeq: seq,
    now: book.now,
    origin: request.origin,
  });
  return { audioId: id, debitSeq: seq, begun: true };
}

const jobOf = ({ jobId, userId, id, attempt, origin }: QueuedForRequest): NewJob<NarrationJob> => ({
  id: jobId,
  payload: { userId, audioId: id, attempt },
  origin,
});

function spendable(book: Book): number {
  let sum = 0;
  for (const lot of book.lots.values()) if (isSpendable(lot, book.now)) sum += lot.remaining;
  return sum;
}
