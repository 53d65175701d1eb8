import { Arg, Args, ArgsType, Ctx, Field, ID, Query, Resolver } from 'type-graphql';
import type { Bucket } from '../../services/credits/past/series.js';
import type { CreditReport } from '../../services/credits/report.js';
import { creditSeries } from '../../services/desk/credit-series.js';
import { listNarrations, type NarrationFilter } from '../../services/desk/narrations.js';
import { listAllStories, type AllStoriesFilter } from '../../services/desk/stories.js';
import type { AudioView } from '../../services/narrations/audios.js';
import type { Story } from '../../services/stories/stories.js';
import { AudioConnection } from '../audio/audio.type.js';
import type { Context } from '../context.js';
import { CreditReportType } from '../credits/reports.type.js';
import { AudioStatus, Bucket as BucketEnum, StoryState } from '../enums.js';
import { PageArgs, toConnection, type Connection } from '../paging.js';
import { StoriesArgs } from '../stories/story.input.js';
import { StoryConnection } from '../stories/story.type.js';

@ArgsType()
class AllStoriesArgs extends StoriesArgs implements AllStoriesFilter {
  @Field(() => [StoryState], {
    nullable: true,
    description: 'Only stories in one of these states. Null for all. Repeated states count once.',
  })
  state?: readonly Story['state'][] | null;
}

@ArgsType()
class NarrationsArgs extends PageArgs implements NarrationFilter {
  @Field(() => [AudioStatus], {
    nullable: true,
    description: 'Only narrations with these statuses. Repeated statuses count once.',
  })
  status?: readonly AudioView['status'][] | null;

  @Field(() => ID, { nullable: true, description: 'Only narrations of the user with this id.' })
  userId?: string | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only narrations that were requested at or after this instant.',
  })
  from?: Date | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only narrations that were requested before this instant.',
  })
  to?: Date | null;
}

@Resolver()
export class DeskResolver {
  @Query(() => StoryConnection, {
    description:
      'Stories in any state, newest first: drafts and deleted stories, too. Administrators and auditors only.',
  })
  async allStories(
    @Ctx() { app }: Context,
    @Args(() => AllStoriesArgs) args: AllStoriesArgs,
  ): Promise<Connection<Story>> {
    return toConnection(await listAllStories(app, args));
  }

  @Query(() => AudioConnection, {
    description: 'All users’ narrations, newest first. Administrators and auditors only.',
  })
  async narrations(
    @Ctx() { app }: Context,
    @Args(() => NarrationsArgs) args: NarrationsArgs,
  ): Promise<Connection<AudioView>> {
    return toConnection(await listNarrations(app, args));
  }

  @Query(() => [CreditReportType], {
    description:
      'The reports of consecutive periods, oldest first. The first period starts at `from`, each further one at the start of a bucket, and the last one ends at `to`. At most 53 periods. BUSY if too many reports are waiting. Administrators and auditors only.',
  })
  creditSeries(
    @Ctx() { app }: Context,
    @Arg('from', () => Date, { description: 'The start, exclusive. Must be before `to`.' })
    from: Date,
    @Arg('to', () => Date, { description: 'The end, inclusive.' }) to: Date,
    @Arg('bucket', () => BucketEnum, { description: 'The length of a period.' }) bucket: Bucket,
  ): Promise<CreditReport[]> {
    return creditSeries(app, { from, to, bucket });
  }
}
