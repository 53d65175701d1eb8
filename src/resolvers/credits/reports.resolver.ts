import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import { creditReport, type CreditReport } from '../../services/credits/report.js';
import { ledgerHealth, type LedgerHealth } from '../../services/reconciliation/reconcile.js';
import type { Context } from '../context.js';
import { CreditReportType, LedgerHealthType } from './reports.type.js';

@Resolver()
export class ReportsResolver {
  @Query(() => CreditReportType, {
    description: 'What came in, what went out and what is owed, by source. Administrators only.',
  })
  creditReport(
    @Ctx() { app }: Context,
    @Arg('from', () => Date, { description: 'The period begins after this instant.' }) from: Date,
    @Arg('to', () => Date, { description: 'The period ends with this instant.' }) to: Date,
  ): Promise<CreditReport> {
    return creditReport(app, from, to);
  }

  @Query(() => LedgerHealthType, {
    description: 'Checks every rule that the ledger must keep. Administrators only.',
  })
  ledgerHealth(@Ctx() { app }: Context): Promise<LedgerHealth> {
    return ledgerHealth(app);
  }
}
