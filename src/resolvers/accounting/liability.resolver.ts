import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import { creditLiability, type CreditLiability } from '../../services/accounting/liability.js';
import type { Context } from '../context.js';
import { CreditLiabilityType } from './liability.type.js';

@Resolver(() => CreditLiabilityType)
export class LiabilityResolver {
  @Query(() => CreditLiabilityType, {
    description:
      'The points owed to users at the beginning and at the end of a past period, by source, and the months in which they lapse. Administrators and auditors only.',
  })
  creditLiability(
    @Ctx() { app }: Context,
    @Arg('from', () => Date, { description: 'The period begins after this instant.' }) from: Date,
    @Arg('to', () => Date, {
      description: 'The period ends with this instant, which is not in the future.',
    })
    to: Date,
  ): Promise<CreditLiability> {
    return creditLiability(app, from, to);
  }
}
