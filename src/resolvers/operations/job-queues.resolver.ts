import { Arg, Ctx, Field, Float, Int, Mutation, ObjectType, Query, Resolver } from 'type-graphql';
import {
  listJobQueues,
  redriveJobs,
  type JobQueueView,
} from '../../services/maintenance/job-queues.js';
import { signedIn, type Context } from '../context.js';

@ObjectType('JobQueue', { description: 'A queue of work that is done in the background.' })
export class JobQueueType implements JobQueueView {
  @Field(() => String, { description: 'Its name, as `redriveJobs` takes it.' })
  name!: string;

  @Field(() => Int, { description: 'Jobs that wait, also for the time of their next try.' })
  queued!: number;

  @Field(() => Int, { description: 'Jobs that are being done.' })
  active!: number;

  @Field(() => Int, { description: 'Jobs that were given up, as long as they are kept.' })
  failed!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'How long the oldest job has waited that could be taken. Null when none waits.',
  })
  oldestQueuedSeconds!: number | null;
}

@Resolver()
export class JobQueueResolver {
  @Query(() => [JobQueueType], {
    description: 'Every queue and what is in it, by name. Administrators only.',
  })
  jobQueues(@Ctx() { app }: Context): Promise<JobQueueView[]> {
    return listJobQueues(app);
  }

  @Mutation(() => Int, {
    description:
      'Puts the jobs of a queue that were given up back to work, for one more try. Returns how many. Administrators only.',
  })
  redriveJobs(
    @Ctx() context: Context,
    @Arg('queue', () => String, { description: 'The name of the queue.' }) queue: string,
  ): Promise<number> {
    return redriveJobs(context.app, queue, signedIn(context).userId);
  }
}
