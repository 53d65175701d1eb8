import { changed, type AuditDetails } from '../audit.sql.js';

/** The fields that an edit can change. The text is represented by its hash. */
const FIELDS = [
  'slug',
  'title',
  'author',
  'language',
  'description',
  'coverUrl',
  'published',
  'announced',
  'textHash',
] as const;

type Edited = Readonly<Record<(typeof FIELDS)[number], string | boolean | null>>;

/** The differences between two versions, for the audit log. @param before null for a new story */
export const changesOf = (before: Edited | null, after: Edited): AuditDetails =>
  Object.fromEntries(
    FIELDS.filter((field) => (before?.[field] ?? null) !== after[field]).map((field) => [
      field,
      changed(before?.[field] ?? null, after[field]),
    ]),
  );
