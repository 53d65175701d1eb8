import type { Rows } from '../../infra/db.js';

/** DRAFT before it is published, and REMOVED after it was deleted. */
export type StoryState = 'DRAFT' | 'PUBLISHED' | 'REMOVED';

/** A story without its text, which is read only on demand. */
export interface Story extends Readonly<
  Pick<
    Rows.Story,
    | 'id'
    | 'slug'
    | 'title'
    | 'author'
    | 'language'
    | 'description'
    | 'coverUrl'
    | 'coverColor'
    | 'coverWidth'
    | 'coverHeight'
    | 'ageFrom'
    | 'ageTo'
    | 'published'
    | 'announced'
    | 'textHash'
    | 'characterCount'
    | 'createdAt'
    | 'updatedAt'
  >
> {
  /** In lower case, without duplicates. */
  readonly tags: readonly string[];
  readonly state: StoryState;
  /** What the order by title compares. */
  readonly titleKey: string;
}
