import { createUnionType, Resolver, Root, Subscription } from 'type-graphql';
import { propertyOf } from '../../domain/objects.js';
import { followChanges, type Change } from '../../services/live/changes.js';
import { AudioType } from '../audio/audio.type.js';
import { subscriberOf, type Context } from '../context.js';
import { NoticeType } from '../notices/notice.type.js';
import { CreditsType } from '../credits/credits.type.js';

/** The kinds of notices are no names of types. */
function nameOf(change: object): string {
  const kind = propertyOf(change, 'kind');
  return kind === 'Audio' || kind === 'Credits' ? kind : 'Notice';
}

const ChangeType = createUnionType({
  name: 'Change',
  description: 'Something of yours that has changed, in its new state, or a new notice.',
  types: () => [AudioType, CreditsType, NoticeType] as const,
  resolveType: nameOf,
});

@Resolver()
export class ChangesResolver {
  @Subscription(() => ChangeType, {
    description:
      'Everything that changes for you in one stream, because browsers open few connections to a server: your narrations when their `status` or `progress` changes, your points, and new notices. The first events are your points and the narrations that are being made. At most ten times a second.',
    subscribe: ({ context }: { context: Context }) =>
      followChanges(context.app, subscriberOf(context)),
  })
  changes(@Root() change: Change): Change {
    return change;
  }
}
