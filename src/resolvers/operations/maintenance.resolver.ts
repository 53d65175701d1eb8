import { Arg, Ctx, Field, ID, Int, Mutation, ObjectType, Resolver } from 'type-graphql';
import { setMonthlyCredits } from '../../services/credits/allowance.js';
import type { UserView } from '../../services/accounts/people.js';
import {
  requestMaintenance,
  type MaintenanceResult,
  type MaintenanceTask,
} from '../../services/maintenance/run-maintenance.js';
import { UserType } from '../accounts/user.type.js';
import { signedIn, type Context } from '../context.js';
import { MaintenanceTask as MaintenanceTaskEnum } from '../enums.js';

@ObjectType('MaintenanceResult', { description: 'What a task did.' })
export class MaintenanceResultType implements MaintenanceResult {
  @Field(() => MaintenanceTaskEnum, { description: 'The task.' })
  task!: MaintenanceTask;

  @Field(() => Int, { description: 'Lots, users, narrations, … that it looked at.' })
  processed!: number;

  @Field(() => Int, { description: 'Of these, how many it changed.' })
  changed!: number;

  @Field(() => Int, { description: 'How long it took, in milliseconds.' })
  durationMs!: number;
}

@Resolver()
export class MaintenanceResolver {
  @Mutation(() => MaintenanceResultType, {
    description:
      'Runs a task to its end now, instead of waiting for the clock. Administrators only.',
  })
  runMaintenance(
    @Ctx() context: Context,
    @Arg('task', () => MaintenanceTaskEnum, { description: 'Which one.' }) task: MaintenanceTask,
  ): Promise<MaintenanceResult> {
    return requestMaintenance(context.app, task, signedIn(context).userId);
  }

  @Mutation(() => UserType, {
    description:
      'Sets a user’s own monthly allowance, from the next one on. APPROVAL_REQUIRED when another administrator must approve the rise. Administrators only.',
  })
  setMonthlyCredits(
    @Ctx() context: Context,
    @Arg('userId', () => ID, { description: 'Whose.' }) userId: string,
    @Arg('amount', () => Int, {
      nullable: true,
      description: '0 to 1,000,000 points a month; null, or left out, for the configured default.',
    })
    amount: number | null,
    @Arg('reason', () => String, { description: 'Why, for the audit log. 1 to 500 characters.' })
    reason: string,
  ): Promise<UserView> {
    return setMonthlyCredits(context.app, { userId, amount, reason }, signedIn(context).userId);
  }
}
