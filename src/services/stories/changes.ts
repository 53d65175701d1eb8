import { changed, type AuditDetails } from '../audit.sql.js';

/** The fields that an edit can change. The text is represented by its hash. */
const FIELDS = [
  'slug',
  'title',
  'author',
  'language',
  'description',
  'coverUrl',
  'coverColor',
  'coverWidth',
  'coverHeight',
  'ageFrom',
  'ageTo',
  'published',
  'announced',
  'textHash',
] as const;

type Edited = Readonly<Record<(typeof FIELDS)[number], string | number | boolean | null>> & {
  readonly tags: readonly string[];
};

/** The differences between two versions, for the audit log. @param before null for a new story */
export function changesOf(before: Edited | null, after: Edited): AuditDetails {
  const fields = FIELDS.filter((field) => (before?.[field] ?? null) !== after[field]);
  // No tag has a comma.
  const [oldTags, newTags] = [before?.tags ?? [], after.tags].map((tags) => tags.join(', '));
  return {
    ...Object.fromEntries(
      fields.map((field) => [field, changed(before?.[field] ?? null, after[field])]),
    ),
    ...(oldTags === newTags ? {} : { tags: changed(oldTags ?? '', newTags ?? '') }),
  };
}
