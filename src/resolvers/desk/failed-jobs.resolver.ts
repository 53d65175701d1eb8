import {
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Int,
  ObjectType,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import {
  failureOf,
  listFailedJobs,
  targetOf,
  type FailedJobRow,
} from '../../services/desk/failed-jobs.js';
import type { FoundNode } from '../../services/nodes.js';
import type { Context } from '../context.js';
import { Node } from '../node.js';
import { connectionOf, PageArgs, toConnection, type Connection } from '../paging.js';

@ArgsType()
class FailedJobsArgs extends PageArgs {
  @Field(() => String, { description: 'The name of the queue.' })
  queue!: string;
}

@ObjectType('FailedJob', {
  description: 'A job that failed and has no retries left. Failed jobs are deleted after a while.',
})
class FailedJobType implements FailedJobRow {
  @Field(() => ID, { description: 'The id of the job.' })
  id!: string;

  @Field(() => String, { description: 'The name of the queue.' })
  queue!: string;

  @Field(() => Date, { description: 'When the last attempt failed.' })
  failedAt!: Date;

  @Field(() => Int, { description: 'The number of attempts.' })
  attempts!: number;

  failedAtMicros!: number;
  message!: string | null;
  userId!: string | null;
  audioId!: string | null;
}

const FailedJobConnection = connectionOf('FailedJob', () => FailedJobType);

@Resolver(() => FailedJobType)
export class FailedJobResolver {
  @Query(() => FailedJobConnection, {
    description:
      'The failed jobs of a queue, latest failure first. NOT_FOUND if there is no such queue. Administrators and auditors only.',
  })
  async failedJobs(
    @Ctx() { app }: Context,
    @Args(() => FailedJobsArgs) args: FailedJobsArgs,
  ): Promise<Connection<FailedJobRow>> {
    return toConnection(await listFailedJobs(app, args));
  }

  @FieldResolver(() => String, {
    description:
      'The message of the last failure, up to 500 characters, without credentials and e-mail addresses.',
  })
  error(@Root() job: FailedJobRow): string {
    return failureOf(job);
  }

  @FieldResolver(() => Node, {
    nullable: true,
    description:
      'What the job was about: an Audio or a User. Null for jobs that are about neither, or whose object no longer exists.',
  })
  target(@Root() job: FailedJobRow, @Ctx() { loaders }: Context): Promise<FoundNode | null> {
    return targetOf(loaders, job);
  }
}
