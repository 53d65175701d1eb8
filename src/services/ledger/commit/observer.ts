import { DomainError, type ErrorCode } from '../../../domain/errors.js';
import type { BookedEntry } from '../../../domain/ledger/book.js';
import type { CreditSource } from '../../../domain/ledger/lots.js';
import type { Logger } from '../../../infra/log.js';
import type { Metrics } from '../../../infra/metrics.js';
import type { Settlement } from './settlement.js';

export type LedgerCommand =
  | 'sign-up'
  | 'grant'
  | 'bulk-grant'
  | 'monthly-grant'
  | 'debit'
  | 'refund'
  | 'expire'
  | 'revoke'
  | 'bulk-revoke';

/** The source that a request names, for the metrics; `any` when it names none. */
export type SourceOf<Request> = (request: Request) => CreditSource | 'any';

interface Facts {
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Is told of every command after it has been committed or refused. */
export interface Observer<Request> {
  settled(request: Request, entries: readonly BookedEntry[], durationMs: number): void;
  refused(request: Request, error: DomainError, durationMs: number): void;
}

/** Only these codes are failures. All others are refusals by a rule. */
const WENT_WRONG: ReadonlySet<ErrorCode> = new Set(['BUSY', 'INTERNAL']);

/**
 * Logs every ledger transaction after its commit, and counts commands and points. `sourceOf` gives the source for the
 * metrics where a command has no transaction that tells it.
 */
export function observe<Request extends { readonly userId: string }>(
  { log, metrics }: Facts,
  command: LedgerCommand,
  sourceOf: SourceOf<Request> = () => 'any',
): Observer<Request> {
  return {
    settled: (request, entries, durationMs) => {
      const [first] = entries;
      const source = command === 'debit' ? 'any' : (first?.sources[0] ?? sourceOf(request));
      const result = first === undefined ? 'unchanged' : 'ok';
      metrics.ledgerCommands.inc({ command, source, result });
      metrics.ledgerCommandSeconds.observe({ command }, durationMs / 1000);
      recordMovements({ log, metrics }, command, entries);
    },
    refused: (request, error, durationMs) => {
      metrics.ledgerCommands.inc({ command, source: sourceOf(request), result: error.code });
      metrics.ledgerCommandSeconds.observe({ command }, durationMs / 1000);
      if (command === 'refund' && WENT_WRONG.has(error.code)) metrics.refundFailures.inc();
      const { userId } = request;
      // A cause means that something failed. A refusal by a rule has none.
      const unexpected = error.cause === undefined ? {} : { err: error.cause };
      log.warn(
        { event: 'ledger-command-refused', command, userId, code: error.code, ...unexpected },
        'ledger command refused',
      );
    },
  };
}

function recordMovements(
  { log, metrics }: Facts,
  command: LedgerCommand,
  entries: readonly BookedEntry[],
): void {
  for (const { userId, id, seq, type, amount, allocations, sources, audioId, actorId } of entries) {
    const lotIds = allocations.map(({ lotId }) => lotId);
    log.info(
      {
        event: 'points-moved',
        command,
        userId,
        transactionId: id,
        seq,
        type,
        amount,
        lotIds,
        audioId,
        actorId,
      },
      'points moved',
    );
    allocations.forEach((part, index) => {
      const source = sources[index];
      if (source === undefined) throw new Error('A part of a movement has no source.');
      metrics.ledgerPoints.inc({ type, source }, Math.abs(part.amount));
    });
  }
}

/** Reports the settlements of a plural command to the observer, after the commit of its transaction. */
export function observeAll<Request extends { readonly userId: string }, Result>(
  observer: Observer<Request>,
  requests: readonly Request[],
  settlements: readonly Settlement<Result>[],
  durationMs: number,
): void {
  settlements.forEach((settlement, index) => {
    const request = requests[index];
    if (request === undefined || typeof settlement === 'symbol') return;
    if (settlement instanceof DomainError) observer.refused(request, settlement, durationMs);
    else observer.settled(request, settlement.entries, durationMs);
  });
}
