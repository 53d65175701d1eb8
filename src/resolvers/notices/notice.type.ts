import { ArgsType, Field, ID, Int, ObjectType } from 'type-graphql';
import type { NoticeKind, NoticeView } from '../../services/notices/notices.js';
import { NoticeKind as NoticeKindEnum } from '../enums.js';
import { connectionOf, type Connection } from '../paging.js';

@ObjectType('Notice', {
  description: 'A message to a user, for example that points lapse soon.',
})
export class NoticeType implements NoticeView {
  @Field(() => ID, { description: 'The id, for `markNoticesRead`.' })
  id!: string;

  @Field(() => NoticeKindEnum, { description: 'The event that the notice is about.' })
  kind!: NoticeKind;

  @Field(() => Date, { description: 'When this event happened.' })
  at!: Date;

  @Field(() => Date, {
    nullable: true,
    description: 'When it was marked as read. Null while it is unread.',
  })
  readAt!: Date | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'The balance for POINTS_LOW, the points that lapse for POINTS_LAPSE, and the points that were granted for POINTS_GRANTED. Otherwise null.',
  })
  points!: number | null;

  @Field(() => Date, {
    nullable: true,
    description: 'When the points lapse. Null when they do not, and for other kinds.',
  })
  lapsesAt!: Date | null;

  userId!: string;
  audioId!: string | null;
  seq!: number | null;
}

const Base = connectionOf('Notice', () => NoticeType);

/** A page of a user's notices. */
export interface NoticePage extends Connection<NoticeView> {
  readonly userId: string;
}

@ObjectType('NoticeConnection', { description: 'A page of a list of Notice objects.' })
export class NoticeConnection extends Base {
  userId!: string;
}

@ArgsType()
export class SettingsArgs {
  @Field(() => String, {
    nullable: true,
    description: 'The language of your mails, a BCP 47 tag. It is unchanged when left out or null.',
  })
  locale?: string | null;

  @Field(() => [NoticeKindEnum], {
    nullable: true,
    description:
      'The kinds of notices that are also mailed to you. It is unchanged when left out or null.',
  })
  mailOn?: NoticeKind[] | null;
}
