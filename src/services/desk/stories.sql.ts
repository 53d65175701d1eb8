import type { Window } from '../../domain/paging.js';
import { Prisma, type Reader } from '../../infra/db.js';
import { mentioning } from '../search/search.sql.js';
import { inLanguage, STORIES } from '../stories/stories.sql.js';
import type { Story, StoryState } from '../stories/story.js';
import { byId, keysetOf } from '../keyset.sql.js';

/** A filter of all stories. Each null member selects all; `words` are folded. */
export interface StorySelection {
  readonly language: string | null;
  readonly words: readonly string[];
  readonly states: readonly StoryState[] | null;
}

const IN_STATE: Readonly<Record<StoryState, Prisma.Sql>> = {
  DRAFT: Prisma.sql`(NOT s.published AND s.deleted_at IS NULL)`,
  PUBLISHED: Prisma.sql`(s.published AND s.deleted_at IS NULL)`,
  REMOVED: Prisma.sql`s.deleted_at IS NOT NULL`,
};

const selected = ({ language, words, states }: StorySelection): Prisma.Sql => Prisma.sql`
  ${states === null ? Prisma.sql`true` : Prisma.sql`(${Prisma.join([Prisma.sql`false`, ...states.map((state) => IN_STATE[state])], ' OR ')})`}
  ${language === null ? Prisma.empty : inLanguage(language)}
  ${words.length === 0 ? Prisma.empty : mentioning(Prisma.sql`s.search_text`, words)}`;

/** Stories in any state, newest first. Walks stories_pkey, because a library has thousands of stories at most. */
export function readAllStories(
  db: Reader,
  { window, selection }: { window: Window<string>; selection: StorySelection },
): Promise<Story[]> {
  const { within, page } = keysetOf(window, byId(Prisma.sql`s.id`, 'descending'));
  return db.$queryRaw<Story[]>`${STORIES} WHERE ${selected(selection)} ${within} ${page}`;
}

/** A query of the stories that `readAllStories` reads. */
export const allStoriesQuery = (selection: StorySelection): Prisma.Sql =>
  Prisma.sql`SELECT FROM stories s WHERE ${selected(selection)}`;
