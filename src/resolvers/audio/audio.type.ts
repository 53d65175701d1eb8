import { Field, Float, ObjectType } from 'type-graphql';
import type { AudioView } from '../../services/narrations/audios.js';
import { AudioStatus } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf } from '../paging.js';

@ObjectType('Audio', {
  implements: Node,
  description: 'A narration: a story, spoken for one user in one voice.',
})
export class AudioType implements AudioView {
  id!: string;

  @Field(() => AudioStatus, { description: 'How far it is.' })
  status!: AudioView['status'];

  @Field(() => Float, { description: '0 to 1; moves as sentences are spoken.' })
  progress!: number;

  @Field(() => String, {
    nullable: true,
    description: 'Why it failed, for people. Null unless FAILED.',
  })
  failureReason!: string | null;

  @Field(() => Date, { description: 'When it was first asked for.' })
  createdAt!: Date;

  @Field(() => Date, { description: 'When its status or progress last changed.' })
  updatedAt!: Date;

  @Field(() => Date, { nullable: true, description: 'When it became READY.' })
  readyAt!: Date | null;

  userId!: string;
  storyId!: string;
  voiceId!: string;
  textHash!: string;
  renditionHash!: string | null;
  durationMs!: number | null;
  lengthBytes!: number | null;
}

export const AudioConnection = connectionOf('Audio', () => AudioType);
