import { Arg, Ctx, Field, ID, InputType, Int, Mutation, ObjectType, Resolver } from 'type-graphql';
import {
  bulkGrantCredits,
  type BulkGrantInput,
  type BulkGrantOutcome,
} from '../../services/credits/bulk-grant.js';
import { signedIn, type Context } from '../context.js';
import { CreditSource } from '../enums.js';

@InputType('BulkGrantRow', { description: 'One user, by id or by e-mail address, and points.' })
class BulkGrantRow {
  @Field(() => ID, { nullable: true, description: 'Who gets them, or …' })
  userId?: string | null;

  @Field(() => String, { nullable: true, description: '… their e-mail address.' })
  email?: string | null;

  @Field(() => Int, { description: '1 to 1,000,000 points.' })
  amount!: number;
}

@InputType('BulkGrantInput', { description: 'Points for many users at once.' })
class BulkGrantInputType implements BulkGrantInput {
  @Field(() => CreditSource, { description: 'Why they are given; decides when they burn.' })
  source!: BulkGrantInput['source'];

  @Field(() => Date, {
    nullable: true,
    description: 'In the future. Required for EVENT and MONTHLY; otherwise null means never.',
  })
  expiresAt?: Date | null;

  @Field(() => String, {
    description: 'Why, in words; stands in every history. 1 to 500 characters.',
  })
  reason!: string;

  @Field(() => String, {
    description:
      'For the whole: 1 to 255 visible ASCII characters. The same key with the same request grants once, for ever, and finishes what was interrupted.',
  })
  idempotencyKey!: string;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: 'Only says what would happen. Changes and remembers nothing.',
  })
  dryRun?: boolean | null;

  @Field(() => [BulkGrantRow], { description: 'At most 10,000.' })
  rows!: BulkGrantRow[];
}

@ObjectType('BulkGrantSkip', { description: 'A row that got nothing.' })
class BulkGrantSkip {
  @Field(() => Int, { description: 'Its place in `rows`, counted from 0.' })
  row!: number;

  @Field(() => String, { description: 'Why, for people.' })
  reason!: string;
}

@ObjectType('BulkGrantPayload', { description: 'What became of the rows.' })
export class BulkGrantPayload implements BulkGrantOutcome {
  @Field(() => Int, { description: 'How many users got points, or would get them in a dry run.' })
  granted!: number;

  @Field(() => Int, { description: 'How many points they got together.' })
  points!: number;

  @Field(() => [BulkGrantSkip], { description: 'The rows that got nothing, in their order.' })
  skipped!: BulkGrantSkip[];

  @Field(() => Boolean, { description: 'Nothing was granted: this is what would happen.' })
  dryRun!: boolean;

  @Field(() => Boolean, {
    description: 'The key was known: this is the first result, and nothing was granted again.',
  })
  replayed!: boolean;
}

@Resolver()
export class BulkGrantResolver {
  @Mutation(() => BulkGrantPayload, {
    description:
      'Gives each of many users points, as lots of their own. Rows that name nobody, or somebody a second time, are skipped. Administrators only.',
  })
  bulkGrantCredits(
    @Ctx() context: Context,
    @Arg('input', () => BulkGrantInputType, { description: 'The grants.' })
    input: BulkGrantInputType,
  ): Promise<BulkGrantPayload> {
    return bulkGrantCredits(context.app, input, signedIn(context).userId);
  }
}
