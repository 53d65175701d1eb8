import { Arg, Args, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import { statementFile, type StatementFile } from '../../services/accounting/period-statement.js';
import { statementUrl } from '../../services/accounting/statement-csv.js';
import {
  creditStatement,
  listStatementMovements,
  type CreditStatement,
} from '../../services/accounting/statement.js';
import type { TransactionView } from '../../services/credits/credits.js';
import { signedIn, type Context } from '../context.js';
import { CreditTransactionConnection } from '../credits/credits.type.js';
import { PageArgs, toConnection, type Connection } from '../paging.js';
import { StatementFormat } from '../enums.js';
import { CreditStatementType, StatementFileType } from './statement.type.js';

@Resolver(() => CreditStatementType)
export class StatementResolver {
  @Query(() => CreditStatementType, { description: 'Your statement for one month.' })
  creditStatement(
    @Ctx() context: Context,
    @Arg('month', () => String, {
      description: 'The month in UTC, as YYYY-MM, for example 2026-10. It must have begun.',
    })
    month: string,
  ): Promise<CreditStatement> {
    return creditStatement(context.app, signedIn(context).userId, month);
  }

  @Query(() => StatementFileType, {
    description:
      'Your statement for any period as a file: after `from`, and up to `to` or now. The file has the same columns as `CreditStatement.csvUrl`.',
  })
  statement(
    @Ctx() context: Context,
    @Arg('from', () => Date, { description: 'The start, exclusive. Must be in the past.' })
    from: Date,
    @Arg('to', () => Date, { description: 'The end, inclusive. Must be after `from`.' }) to: Date,
    @Arg('format', () => StatementFormat, {
      nullable: true,
      defaultValue: 'CSV',
      description: 'The format of the file. Default CSV.',
    })
    _format: 'CSV' | null,
  ): Promise<StatementFile> {
    return statementFile(context.app, signedIn(context).userId, { from, to });
  }

  @FieldResolver(() => CreditTransactionConnection, {
    description:
      'The transactions of the month, newest first. An EXPIRY belongs to the month of its `effectiveAt`, which is normally when its lot expired, even if it was recorded later. Transactions that result from a refund belong to the month of the refund.',
  })
  async movements(
    @Root() statement: CreditStatement,
    @Ctx() { app }: Context,
    @Args(() => PageArgs) args: PageArgs,
  ): Promise<Connection<TransactionView>> {
    return toConnection(await listStatementMovements(app, statement, args));
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The SHA-256 hash, in hexadecimal, of your newest transaction up to `to`. It covers your whole history up to this transaction. Null if there is none.',
  })
  headHash(@Root() { headHash }: CreditStatement): string | null {
    return headHash && Buffer.from(headHash).toString('hex');
  }

  @FieldResolver(() => String, {
    description:
      'The signed URL of the statement as a CSV file. It needs no access token. It expires after `URL_TTL_SECONDS`, which is one hour by default.',
  })
  csvUrl(@Root() { userId, month }: CreditStatement, @Ctx() { app }: Context): Promise<string> {
    return statementUrl(app, userId, month);
  }
}
