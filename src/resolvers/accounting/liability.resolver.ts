import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import { creditLiability, type CreditLiability } from '../../services/accounting/liability.js';
import type { Context } from '../context.js';
import { CreditLiabilityType } from './liability.type.js';

@Resolver(() => CreditLiabilityType)
export class LiabilityResolver {
  @Query(() => CreditLiabilityType, {
    description:
      'The points owed to users at the start and at the end of a past period, by source, and the months in which they expire. BUSY if too many reports are waiting. Administrators and auditors only.',
  })
  creditLiability(
    @Ctx() { app }: Context,
    @Arg('from', () => Date, {
      description: 'The start of the period, exclusive. Must not be after `to`.',
    })
    from: Date,
    @Arg('to', () => Date, {
      description: 'The end of the period, inclusive. Must not be in the future.',
    })
    to: Date,
  ): Promise<CreditLiability> {
    return creditLiability(app, from, to);
  }
}
