import { Resolver, Root, Subscription } from 'type-graphql';
import { followCredits } from '../../services/live/follow.js';
import { subscriberOf, type Context } from '../context.js';
import { CreditsType } from './credits.type.js';

@Resolver()
export class CreditsUpdatesResolver {
  @Subscription(() => CreditsType, {
    description:
      'Your points each time they change or some of them lapse, beginning with their current state.',
    subscribe: ({ context }: { context: Context }) =>
      followCredits(context.app, subscriberOf(context)),
  })
  creditsUpdated(@Root() credits: CreditsType): CreditsType {
    return credits;
  }
}
