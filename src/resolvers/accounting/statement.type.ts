import { Field, Int, ObjectType } from 'type-graphql';
import type { CreditStatement } from '../../services/accounting/statement.js';

@ObjectType('CreditStatement', {
  description:
    'Your points in one month: after its first instant and up to the first instant of the next month, in UTC, or up to now while the month lasts. opening + all movements − lapsedUnbooked = closing.',
})
export class CreditStatementType implements Omit<CreditStatement, 'headHash'> {
  @Field(() => String, { description: 'The month, for example 2026-10.' })
  month!: string;

  @Field(() => Date, {
    description: 'Movements at this very instant belong to the month before.',
  })
  from!: Date;

  @Field(() => Date, {
    description:
      'Movements at this very instant belong to the statement. Now, while the month lasts.',
  })
  to!: Date;

  @Field(() => Int, { description: 'Points that could be spent at `from`.' })
  opening!: number;

  @Field(() => Int, {
    description:
      'Points that lapsed in the month, but whose EXPIRY is not among the movements yet, because the sweep has not booked it. It is 0 a few minutes after the month.',
  })
  lapsedUnbooked!: number;

  @Field(() => Int, { description: 'Points that could be spent at `to`.' })
  closing!: number;

  userId!: string;
  afterSeq!: number;
  untilSeq!: number;
}
