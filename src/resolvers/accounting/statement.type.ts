import { Field, Int, ObjectType } from 'type-graphql';
import type { StatementFile } from '../../services/accounting/period-statement.js';
import type { CreditStatement } from '../../services/accounting/statement.js';

@ObjectType('CreditStatement', {
  description:
    'Your points in one month (UTC). The period begins after the first instant of the month, and ends at the first instant of the next month, or now for the current month. opening + the amounts of all `movements` − lapsedUnbooked = closing.',
})
export class CreditStatementType implements Omit<CreditStatement, 'headHash'> {
  @Field(() => String, { description: 'The month, as YYYY-MM, for example 2026-10.' })
  month!: string;

  @Field(() => Date, {
    description:
      'The start of the period, exclusive: a transaction at exactly this instant belongs to the previous month.',
  })
  from!: Date;

  @Field(() => Date, {
    description:
      'The end of the period, inclusive: a transaction at exactly this instant belongs to this statement. For the current month, this is the current time.',
  })
  to!: Date;

  @Field(() => Int, { description: 'The number of points that could be spent at `from`.' })
  opening!: number;

  @Field(() => Int, {
    description:
      'The number of points that expired in the month, but whose EXPIRY is not in `movements` because it has not been recorded yet. A job records expiries every five minutes, so this is 0 a few minutes after the month ends.',
  })
  lapsedUnbooked!: number;

  @Field(() => Int, { description: 'The number of points that could be spent at `to`.' })
  closing!: number;

  userId!: string;
  afterSeq!: number;
  untilSeq!: number;
}

@ObjectType('Statement', { description: 'A file for download.' })
export class StatementFileType implements StatementFile {
  @Field(() => String, {
    description:
      'The signed URL of the file. It needs no access token. Everyone who has it can read the file until it expires.',
  })
  url!: string;

  @Field(() => Date, { description: 'When the URL expires.' })
  expiresAt!: Date;

  @Field(() => Int, {
    description:
      'The number of transactions in a statement. At most 10,000 are counted: 10,001 means that there are more. For an archive of your data, the number of records at the time of the request.',
  })
  rows!: number;
}
