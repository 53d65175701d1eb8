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

  @Field(() => Int, {
    description: 'Jobs that wait, including those that wait for their next try.',
  })
  queued!: number;

  @Field(() => Int, { description: 'Jobs that are being done.' })
  active!: number;

  @Field(() => Int, { description: 'Jobs that were given up and are still kept.' })
  failed!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'How long the oldest job that could be taken has waited. Null when none waits.',
  })
  oldestQueuedSeconds!: number | null;
}

@Resolver()
export class JobQueueResolver {
  @Query(() => [JobQueueType], {
    description: 'Every queue and what is in it, by name. Administrators and auditors only.',
  })
  jobQueues(@Ctx() { app }: Context): Promise<JobQueueView[]> {
    return listJobQueues(app);
  }

  @Mutation(() => Int, {
    description:
      'Gives each job of a queue that was given up one more try. Returns how many. Administrators only.',
  })
  redriveJobs(
    @Ctx() context: Context,
    @Arg('queue', () => String, { description: 'The name of the queue.' }) queue: string,
  ): Promise<number> {
    return redriveJobs(context.app, queue, signedIn(context).userId);
  }
}
