import { useEffect, useState } from 'react';
import { useQuery } from 'urql';
import { failureOf, type Failure } from '../api/errors.js';
import { secondsOf } from '../story/seconds.js';
import type { StoryCardFragment } from '../gql/graphql.js';
import { hasLength, matches, type Filters } from './filters.js';
import { LibraryStories, MyNarrations } from './queries.js';

const PAGE = 60;

export interface Stories {
  readonly stories: readonly StoryCardFragment[];
  readonly languages: readonly string[];
  readonly welcomePoints: number;
  readonly loaded: boolean;
  readonly more: boolean;
  readonly failure: Failure | null;
  readonly loadMore: () => void;
  readonly retry: () => void;
}

/** The stories that the filters let through. The server filters by words and language, this page by length. */
export function useStories(filters: Filters, signedIn: boolean): Stories {
  const mine = filters.mine && signedIn;
  const { search, language } = filters;
  const key = JSON.stringify([search, language, mine]);
  const [after, setAfter] = useState<{ key: string; cursor: string } | null>(null);
  const cursor = after?.key === key ? after.cursor : null;
  const [library, readLibrary] = useQuery({
    query: LibraryStories,
    variables: {
      first: PAGE,
      after: mine ? null : cursor,
      language: language === '' ? null : language,
      search: search === '' ? null : search,
    },
  });
  const [narrations, readNarrations] = useQuery({
    query: MyNarrations,
    variables: { first: PAGE, after: cursor },
    pause: !mine,
  });
  const own = narrations.data?.me?.audio;
  const page = mine ? own?.pageInfo : library.data?.stories.pageInfo;
  const all = mine ? distinct(own?.nodes ?? []) : (library.data?.stories.nodes ?? []);
  const stories = all.filter((story) => isShown(story, filters, mine));
  const more = page?.hasNextPage === true;
  const result = mine ? narrations : library;
  const loadMore = (): void => {
    const next = page?.endCursor;
    if (more && next != null && !result.fetching && !result.stale) setAfter({ key, cursor: next });
  };
  // A filter that this page applies may leave nothing of what was loaded.
  useEffect(() => {
    if (stories.length < PAGE) loadMore();
  });
  const settings = library.data?.settings;
  return {
    stories,
    languages: settings?.languages.map((entry) => entry.language) ?? [],
    welcomePoints: settings?.welcomePoints ?? 0,
    loaded: page !== undefined || result.error !== undefined,
    more,
    failure: page === undefined ? failureOf(result.error) : null,
    loadMore,
    retry: () => (mine ? readNarrations : readLibrary)({ requestPolicy: 'network-only' }),
  };
}

/** A story may have several narrations, in several voices. */
const distinct = (nodes: readonly { story: StoryCardFragment }[]): StoryCardFragment[] => [
  ...new Map(nodes.map(({ story }) => [story.id, story])).values(),
];

function isShown(story: StoryCardFragment, filters: Filters, mine: boolean): boolean {
  if (!hasLength(secondsOf(story), filters.length)) return false;
  if (!mine) return true;
  const { language, search } = filters;
  if (language !== '' && story.language.split('-')[0] !== language.split('-')[0]) return false;
  return matches([story.title, story.author, story.description ?? ''], search);
}
