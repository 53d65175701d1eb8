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

  @Field(() => AudioStatus, { description: 'The status of the narration.' })
  status!: AudioView['status'];

  @Field(() => Float, {
    description: 'The finished fraction, 0 to 1. It changes as sentences are spoken.',
  })
  progress!: number;

  @Field(() => String, {
    nullable: true,
    description: 'The reason for the failure, as text for users. Null unless FAILED.',
  })
  failureReason!: string | null;

  @Field(() => Date, { description: 'When the narration was first requested.' })
  createdAt!: Date;

  @Field(() => Date, { description: 'When `status` or `progress` last changed.' })
  updatedAt!: Date;

  @Field(() => Date, {
    nullable: true,
    description: 'When the narration became READY. Null unless READY.',
  })
  readyAt!: Date | null;

  userId!: string;
  storyId!: string;
  voiceId!: string;
  textHash!: string;
  failureCode!: string | null;
  waitingFor!: string | null;
  renditionHash!: string | null;
  durationMs!: number | null;
  lengthBytes!: number | null;
}

export const AudioConnection = connectionOf('Audio', () => AudioType);
