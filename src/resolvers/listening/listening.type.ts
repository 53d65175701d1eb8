import { Field, Float, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { Bookmark } from '../../services/listening/bookmarks.js';
import type { Listening, ListeningInput } from '../../services/listening/listening.js';

@ObjectType('Listening', {
  description: 'How far you have heard a narration, as the newest report of your devices says.',
})
export class ListeningType implements Listening {
  @Field(() => Int, { description: 'The position in the recording, in milliseconds.' })
  positionMs!: number;

  @Field(() => Boolean, { description: 'Whether you have heard it to its end.' })
  finished!: boolean;

  @Field(() => Float, { description: 'The playback rate. 1 is the normal speed.' })
  rate!: number;

  userId!: string;
  audioId!: string;
  at!: Date;
  sessionId!: string;
}

@InputType('ListeningInput', { description: 'How far you have heard a narration.' })
export class ListeningInputType implements ListeningInput {
  @Field(() => ID, { description: 'The id of one of your narrations.' })
  audioId!: string;

  @Field(() => Int, {
    description:
      'The position in milliseconds, 0 to 172,800,000 (48 hours). A position after the end of the recording counts as its end.',
  })
  positionMs!: number;

  @Field(() => Boolean, {
    nullable: true,
    description:
      'Whether you have heard it to its end. By default, whether the position is the end of the recording.',
  })
  finished?: boolean | null;

  @Field(() => Float, {
    nullable: true,
    description: 'The playback rate, 0.25 to 4. By default it stays as it is, and is 1 at first.',
  })
  rate?: number | null;

  @Field(() => Date, {
    description:
      'The time of the report, by the clock of the device. A report with an earlier time than the stored one changes nothing. A time in the future counts as now.',
  })
  at!: Date;
}

@ObjectType('Bookmark', { description: 'A place in a narration that you have marked.' })
export class BookmarkType implements Bookmark {
  @Field(() => ID, { description: 'The id, for `removeBookmark`.' })
  id!: string;

  @Field(() => Int, { description: 'The position in the recording, in milliseconds.' })
  positionMs!: number;

  @Field(() => String, { nullable: true, description: 'Your note. Null when there is none.' })
  note!: string | null;

  @Field(() => Date, { description: 'When you marked the place.' })
  createdAt!: Date;

  userId!: string;
  audioId!: string;
}
