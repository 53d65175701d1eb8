import { Arg, Ctx, FieldResolver, Query, Resolver } from 'type-graphql';
import {
  listUnfinishedBulkGrants,
  type UnfinishedBulkGrant,
} from '../../services/credits/bulk-grant-orders.js';
import {
  listUnfinishedBulkRevocations,
  type UnfinishedBulkRevocation,
} from '../../services/credits/bulk-revocation/orders.js';
import { creditReport, type CreditReport } from '../../services/credits/report.js';
import { ledgerHealth, type KnownHealth } from '../../services/ledger-health/ledger-health.js';
import type { Context } from '../context.js';
import {
  CreditReportType,
  LedgerHealthType,
  UnfinishedBulkGrantType,
  UnfinishedBulkRevocationType,
} from './reports.type.js';

@Resolver(() => LedgerHealthType)
export class ReportsResolver {
  @Query(() => CreditReportType, {
    description:
      'What came in, what went out and what is owed, by source. Administrators and auditors only.',
  })
  creditReport(
    @Ctx() { app }: Context,
    @Arg('from', () => Date, { description: 'The period begins after this instant.' }) from: Date,
    @Arg('to', () => Date, { description: 'The period ends with this instant.' }) to: Date,
  ): Promise<CreditReport> {
    return creditReport(app, from, to);
  }

  @Query(() => LedgerHealthType, {
    description:
      'Whether every rule that the ledger must keep is kept: a small ledger is checked at once, of a large one this is what the last check has found. `runMaintenance(task: RECONCILE_CREDITS)` checks it anew. Administrators and auditors only.',
  })
  ledgerHealth(@Ctx() { app }: Context): Promise<KnownHealth> {
    return ledgerHealth(app);
  }

  @FieldResolver(() => [UnfinishedBulkGrantType], {
    description:
      'Grants to many that are being made or were interrupted, oldest first, at most 100. They are no violation: what is granted is granted, and the rest follows.',
  })
  unfinishedBulkGrants(@Ctx() { app }: Context): Promise<UnfinishedBulkGrant[]> {
    return listUnfinishedBulkGrants(app);
  }

  @FieldResolver(() => [UnfinishedBulkRevocationType], {
    description:
      'Revocations of bulk grants that are being made or were interrupted, oldest first, at most 100. They are not violations, because each lot that has been revoked stays revoked, and the others follow.',
  })
  unfinishedBulkRevocations(@Ctx() { app }: Context): Promise<UnfinishedBulkRevocation[]> {
    return listUnfinishedBulkRevocations(app);
  }
}
