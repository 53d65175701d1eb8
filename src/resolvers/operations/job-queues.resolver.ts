import { Arg, Ctx, Field, Float, Int, Mutation, ObjectType, Query, Resolver } from 'type-graphql';
import {
  listJobQueues,
  redriveJobs,
  type JobQueueView,
} from '../../services/maintenance/job-queues.js';
import { signedIn, type Context } from '../context.js';

@ObjectType('JobQueue', { description: 'A queue of background jobs.' })
export class JobQueueType implements JobQueueView {
  @Field(() => String, { description: 'The name of the queue, for `redriveJobs`.' })
  name!: string;

  @Field(() => Int, {
    description: 'The number of waiting jobs, including jobs that wait for a retry.',
  })
  queued!: number;

  @Field(() => Int, { description: 'The number of running jobs.' })
  active!: number;

  @Field(() => Int, {
    description:
      'The number of jobs that failed and have no retries left. Failed jobs are deleted after a while.',
  })
  failed!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'How long the oldest due job has been waiting, in seconds. Null if no job is due.',
  })
  oldestQueuedSeconds!: number | null;
}

@Resolver()
export class JobQueueResolver {
  @Query(() => [JobQueueType], {
    description: 'All job queues, sorted by name. Administrators and auditors only.',
  })
  jobQueues(@Ctx() { app }: Context): Promise<JobQueueView[]> {
    return listJobQueues(app);
  }

  @Mutation(() => Int, {
    description:
      'Gives each failed job of a queue one more attempt. Returns the number of these jobs. NOT_FOUND if there is no such queue. Administrators only.',
  })
  redriveJobs(
    @Ctx() context: Context,
    @Arg('queue', () => String, { description: 'The name of the queue.' }) queue: string,
  ): Promise<number> {
    return redriveJobs(context.app, queue, signedIn(context).userId);
  }
}
