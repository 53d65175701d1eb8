import { Arg, Ctx, FieldResolver, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { ledgerKey } from '../../services/credits/credits.js';
import {
  BEGUN_DEFAULT,
  listBegun,
  reportListening,
  type Listening,
} from '../../services/listening/listening.js';
import type { AudioView } from '../../services/narrations/audios.js';
import type { SessionView } from '../../services/sessions/devices.js';
import { SessionType } from '../accounts/user.type.js';
import { AudioType } from '../audio/audio.type.js';
import { signedIn, type Context } from '../context.js';
import { ListeningInputType, ListeningType } from './listening.type.js';

@Resolver(() => AudioType)
export class AudioListeningResolver {
  @FieldResolver(() => ListeningType, {
    nullable: true,
    description: 'How far you have listened, on any of your devices. Null if you have not started.',
  })
  async listening(
    @Root() audio: AudioView,
    @Ctx() { loaders }: Context,
  ): Promise<Listening | null> {
    return (await loaders.listenings.load(ledgerKey(audio.userId, audio.id))) ?? null;
  }
}

@Resolver(() => ListeningType)
export class ListeningResolver {
  @Query(() => [AudioType], {
    description:
      'Your narrations that you have started but not finished, latest first. Failed and cancelled ones are left out.',
  })
  continueListening(
    @Ctx() context: Context,
    @Arg('first', () => Int, {
      nullable: true,
      defaultValue: BEGUN_DEFAULT,
      description: 'The greatest number of narrations, 1 to 50.',
    })
    first: number | null,
  ): Promise<AudioView[]> {
    return listBegun(context.app, signedIn(context).userId, { first });
  }

  @Mutation(() => ListeningType, {
    description:
      'Stores how far you have heard a narration. Send it about every ten seconds while it plays, and when it is paused. Of several reports, the one with the latest `at` holds. Returns what is stored. The cookie of a signed-in browser is enough, so that `navigator.sendBeacon` can send it when a page is closed. NOT_FOUND for a narration that is not yours.',
  })
  reportListening(
    @Ctx() { app, viewer, refreshCookie }: Context,
    @Arg('input', () => ListeningInputType, { description: 'The position.' })
    input: ListeningInputType,
  ): Promise<Listening> {
    return reportListening(app, { viewer, refreshToken: refreshCookie.read() }, input);
  }

  @FieldResolver(() => Date, { description: 'The time of the report, by the clock of the device.' })
  updatedAt(@Root() listening: Listening): Date {
    return listening.at;
  }

  @FieldResolver(() => SessionType, {
    nullable: true,
    description: 'The device that reported it. Null when the device is not known any more.',
  })
  device(
    @Root() { userId, sessionId }: Listening,
    @Ctx() { loaders }: Context,
  ): Promise<SessionView | null> {
    return loaders.optional(loaders.sessions, ledgerKey(userId, sessionId));
  }
}
