import { Resolver, Root, Subscription } from 'type-graphql';
import { followCredits } from '../../services/live/follow.js';
import { subscriberOf, type Context } from '../context.js';
import { CreditsType } from './credits.type.js';

@Resolver()
export class CreditsUpdatesResolver {
  @Subscription(() => CreditsType, {
    description:
      'Your current points, and an update each time they change, for example because a lot expires. At most ten events a second.',
    subscribe: ({ context }: { context: Context }) =>
      followCredits(context.app, subscriberOf(context)),
  })
  creditsUpdated(@Root() credits: CreditsType): CreditsType {
    return credits;
  }
}
