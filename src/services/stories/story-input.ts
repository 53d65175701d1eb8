import { z } from 'zod';
import { language, line, paragraphs, text } from '../validation.js';
import { webAddress } from '../web-address.js';

/** What may be left out, and then has its default. */
type Defaulted<Schema extends z.ZodType, Default> = z.ZodPipe<
  z.ZodOptional<z.ZodNullable<Schema>>,
  z.ZodTransform<z.output<Schema> | Default, z.output<Schema> | null | undefined>
>;

const orNull = <Schema extends z.ZodType>(schema: Schema): Defaulted<Schema, null> =>
  schema.nullish().transform((value) => value ?? null);

const flag = (byDefault: boolean): Defaulted<z.ZodBoolean, boolean> =>
  z
    .boolean()
    .nullish()
    .transform((given) => given ?? byDefault);

const between = (least: number, most: number): z.ZodType<number, number> =>
  z
    .int('must be a whole number')
    .refine(
      (value) => value >= least && value <= most,
      `must be ${String(least)} to ${most.toLocaleString('en')}`,
    );

/** An age in years. */
export const age = between(0, 99);

const TAGS_MAX = 10;

/** A tag in lower case, with single spaces. A comma is refused, because forms separate tags with commas. */
const tag = line(1, 30)
  .transform((words) => words.toLowerCase().normalize('NFC').split(/\s+/u).join(' '))
  .refine((words) => !words.includes(','), 'must not contain a comma');

/** The distinct tags, in their order. */
export const tags = z
  .array(tag)
  .max(TAGS_MAX, `must be at most ${String(TAGS_MAX)} tags`)
  .nullish()
  .transform((given) => [...new Set(given ?? [])]);

const pixels = orNull(between(1, 20_000));

const fields = z.object({
  slug: z
    .string()
    .max(100, 'must be at most 100 characters')
    .regex(
      /^[a-z0-9]+(-[a-z0-9]+)*$/,
      'must be lower-case letters and digits between single hyphens',
    )
    .nullish(),
  title: line(1, 200),
  author: line(1, 200),
  language,
  description: orNull(paragraphs(0, 1000)),
  // Bidirectional controls are allowed, because a text in two directions may need them. They are not spoken.
  content: text(1, 200_000).refine((words) => /\S/u.test(words), 'must not be blank'),
  coverUrl: orNull(webAddress),
  coverColor: orNull(
    z
      .string()
      .regex(/^#[0-9a-f]{6}$/i, 'must be a colour such as #9a4f0f')
      .transform((colour) => colour.toLowerCase()),
  ),
  coverWidth: pixels,
  coverHeight: pixels,
  ageFrom: orNull(age),
  ageTo: orNull(age),
  tags,
  published: flag(false),
  announced: flag(true),
});
/** A story as a client gives it. */
export type StoryInput = z.input<typeof fields>;

/** The fields of a story as a client gives them. Fields that were left out get their defaults. */
export const storyInput = fields.superRefine((story, context) => {
  const { ageFrom, ageTo, coverUrl, coverColor, coverWidth, coverHeight } = story;
  const refuse = (field: keyof typeof story, message: string): void => {
    context.addIssue({ code: 'custom', path: [field], message });
  };
  if (ageFrom !== null && ageTo !== null && ageFrom > ageTo)
    refuse('ageTo', 'must not be less than ageFrom');
  if ((coverWidth === null) !== (coverHeight === null))
    refuse('coverHeight', 'must be given together with coverWidth');
  if (coverUrl === null && (coverColor ?? coverWidth) !== null)
    refuse('coverUrl', 'must be given together with the colour and the size of the cover');
});
