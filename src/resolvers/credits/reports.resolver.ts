import { Arg, Ctx, FieldResolver, Query, Resolver } from 'type-graphql';
import {
  listUnfinishedBulkGrants,
  type UnfinishedBulkGrant,
} from '../../services/credits/bulk-grant-orders.js';
import {
  listUnfinishedBulkRevocations,
  type UnfinishedBulkRevocation,
} from '../../services/credits/bulk-revocation/bulk-revocation-orders.js';
import { creditReport, type CreditReport } from '../../services/credits/report.js';
import { ledgerHealth, type KnownHealth } from '../../services/ledger-health/ledger-health.js';
import {
  lastReconciliation,
  type ReconciliationSummary,
} from '../../services/reconciliation/reconcile.js';
import type { Context } from '../context.js';
import { CreditReportType } from './reports.type.js';
import {
  LedgerHealthType,
  LedgerReconciliationType,
  UnfinishedBulkGrantType,
  UnfinishedBulkRevocationType,
} from '../operations/ledger-health.type.js';

@Resolver(() => LedgerHealthType)
export class ReportsResolver {
  @Query(() => CreditReportType, {
    description:
      'The points that were granted, spent, refunded, expired and revoked in a period, and the outstanding points at its end, by source. BUSY if too many reports are waiting. Administrators and auditors only.',
  })
  creditReport(
    @Ctx() { app }: Context,
    @Arg('from', () => Date, {
      description: 'The start of the period, exclusive. Must not be after `to`.',
    })
    from: Date,
    @Arg('to', () => Date, { description: 'The end of the period, inclusive.' }) to: Date,
  ): Promise<CreditReport> {
    return creditReport(app, from, to);
  }

  @Query(() => LedgerHealthType, {
    description:
      'The result of checking all invariants of the ledger. A ledger with at most 50,000 transactions is checked during the request. For a larger ledger, this is the result of the last check, which runs every night. `runMaintenance(task: RECONCILE_CREDITS)` runs a new check. Administrators and auditors only.',
  })
  ledgerHealth(@Ctx() { app }: Context): Promise<KnownHealth> {
    return ledgerHealth(app);
  }

  @FieldResolver(() => LedgerReconciliationType, {
    nullable: true,
    description:
      'What the last reconciliation found and repaired. `checks` has the violations that are left. Null if there was no reconciliation.',
  })
  lastReconciliation(@Ctx() { app }: Context): Promise<ReconciliationSummary | null> {
    return lastReconciliation(app);
  }

  @FieldResolver(() => [UnfinishedBulkGrantType], {
    description:
      'Bulk grants that are in progress or were interrupted, oldest first, at most 100. They are not violations, because the points granted so far are kept and the rest is granted later.',
  })
  unfinishedBulkGrants(@Ctx() { app }: Context): Promise<UnfinishedBulkGrant[]> {
    return listUnfinishedBulkGrants(app);
  }

  @FieldResolver(() => [UnfinishedBulkRevocationType], {
    description:
      'Revocations of bulk grants that are in progress or were interrupted, oldest first, at most 100. They are not violations, because the lots revoked so far stay revoked and the rest is revoked later.',
  })
  unfinishedBulkRevocations(@Ctx() { app }: Context): Promise<UnfinishedBulkRevocation[]> {
    return listUnfinishedBulkRevocations(app);
  }
}
