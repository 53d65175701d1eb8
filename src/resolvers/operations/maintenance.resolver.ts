import { Arg, Ctx, Field, ID, Int, Mutation, ObjectType, Resolver } from 'type-graphql';
import { setMonthlyCredits } from '../../services/credits/allowance.js';
import type { UserView } from '../../services/accounts/people.sql.js';
import {
  requestMaintenance,
  type MaintenanceResult,
} from '../../services/maintenance/run-maintenance.js';
import type { MaintenanceTask } from '../../services/tasks.js';
import { UserType } from '../accounts/user.type.js';
import { signedIn, type Context } from '../context.js';
import { MaintenanceTask as MaintenanceTaskEnum } from '../enums.js';

@ObjectType('MaintenanceResult', { description: 'The result of a maintenance task.' })
export class MaintenanceResultType implements MaintenanceResult {
  @Field(() => MaintenanceTaskEnum, { description: 'The task.' })
  task!: MaintenanceTask;

  @Field(() => Int, {
    description: 'The number of items that the task checked, such as lots, users or narrations.',
  })
  processed!: number;

  @Field(() => Int, { description: 'The number of these items that the task changed.' })
  changed!: number;

  @Field(() => Int, { description: 'The duration of the task, in milliseconds.' })
  durationMs!: number;
}

@Resolver()
export class MaintenanceResolver {
  @Mutation(() => MaintenanceResultType, {
    description:
      'Runs a maintenance task now instead of at its scheduled time, and returns when the task has finished. Administrators only.',
  })
  runMaintenance(
    @Ctx() context: Context,
    @Arg('task', () => MaintenanceTaskEnum, { description: 'The task.' }) task: MaintenanceTask,
  ): Promise<MaintenanceResult> {
    return requestMaintenance(context.app, task, signedIn(context).userId);
  }

  @Mutation(() => UserType, {
    description:
      'Sets the monthly allowance of a user, starting with the next monthly grant. APPROVAL_REQUIRED if another administrator must approve an increase, because it exceeds the daily limit for one administrator. Administrators only.',
  })
  setMonthlyCredits(
    @Ctx() context: Context,
    @Arg('userId', () => ID, { description: 'The id of the user.' }) userId: string,
    @Arg('amount', () => Int, {
      nullable: true,
      description:
        'The allowance in points per month, 0 to 1,000,000. Null or omitted for the configured default (`MONTHLY_CREDITS`).',
    })
    amount: number | null,
    @Arg('reason', () => String, {
      description: 'The reason, 1 to 500 characters. It is recorded in the audit log.',
    })
    reason: string,
  ): Promise<UserView> {
    return setMonthlyCredits(context.app, { userId, amount, reason }, signedIn(context).userId);
  }
}
