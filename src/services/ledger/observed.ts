import type { App } from '../../app.js';
import { DomainError, type ErrorCode } from '../../domain/errors.js';
import type { BookedEntry } from '../../domain/ledger/book.js';
import type { CreditSource } from '../../domain/ledger/lots.js';
import type { Observer, Settlement } from './group-commit.js';

export type LedgerCommand =
  'grant' | 'bulk-grant' | 'monthly-grant' | 'debit' | 'refund' | 'expire' | 'revoke';

type Facts = Pick<App, 'log' | 'metrics'>;

/** What a rule refuses is no failure. */
const WENT_WRONG: ReadonlySet<ErrorCode> = new Set(['BUSY', 'INTERNAL']);

/**
 * Writes a line of the log for every movement, when it is committed, and counts it. `sourceOf` names
 * the source of a command that is about one lot.
 */
export function observe<Request extends { readonly userId: string }>(
  { log, metrics }: Facts,
  command: LedgerCommand,
  sourceOf: (request: Request) => CreditSource | 'any' = () => 'any',
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
      // A cause means that something went wrong, not that a rule said no.
      const unexpected = error.cause === undefined ? {} : { err: error.cause };
      log.warn({ command, userId, code: error.code, ...unexpected }, 'ledger command refused');
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
      { command, userId, transactionId: id, seq, type, amount, lotIds, audioId, actorId },
      'points moved',
    );
    allocations.forEach((part, index) => {
      const source = sources[index] ?? 'FREE';
      metrics.ledgerPoints.inc({ type, source }, Math.abs(part.amount));
    });
  }
}

/** Tells of what a caller of a plural command got, once its transaction is committed. */
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
