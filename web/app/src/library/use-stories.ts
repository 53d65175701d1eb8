import { useEffect, useState } from 'react';
import { useQuery } from 'urql';
import { failureOf, type Failure } from '../api/errors.js';
import { secondsOf } from '../story/seconds.js';
import type { StoryCardFragment } from '../gql/graphql.js';
import { hasLength, isForAge, matches, type Filters, type Order } from './filters.js';
import { LibraryStories, MyNarrations } from './queries.js';

const PAGE = 60;

export interface Stories {
  readonly stories: readonly StoryCardFragment[];
  readonly languages: readonly string[];
  readonly tags: readonly string[];
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
  const { search, language, tag, age, order } = filters;
  const key = JSON.stringify([search, language, tag, age, order, mine]);
  const [after, setAfter] = useState<{ key: string; cursor: string } | null>(null);
  const cursor = after?.key === key ? after.cursor : null;
  const [library, readLibrary] = useQuery({
    query: LibraryStories,
    variables: {
      first: PAGE,
      after: mine ? null : cursor,
      language: language === '' ? null : language,
      search: search === '' ? null : search,
      tags: tag === '' ? null : [tag],
      age,
      order,
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
  const shown = all.filter((story) => isShown(story, filters, mine));
  const stories = mine ? inOrder(shown, order) : shown;
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
    tags: settings?.tags.map((entry) => entry.tag) ?? [],
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

/** My narrations come newest first, and are put into another order here. */
function inOrder(stories: readonly StoryCardFragment[], order: Order): StoryCardFragment[] {
  if (order === 'TITLE')
    return stories.toSorted((one, other) => one.title.localeCompare(other.title));
  const bySeconds = stories.toSorted((one, other) => secondsOf(one) - secondsOf(other));
  if (order === 'SHORTEST') return bySeconds;
  return order === 'LONGEST' ? bySeconds.toReversed() : [...stories];
}

function isShown(story: StoryCardFragment, filters: Filters, mine: boolean): boolean {
  if (!hasLength(secondsOf(story), filters.length)) return false;
  if (!mine) return true;
  const { language, search, tag, age } = filters;
  if (tag !== '' && !story.tags.includes(tag)) return false;
  if (age !== null && !isForAge(story, age)) return false;
  if (language !== '' && story.language.split('-')[0] !== language.split('-')[0]) return false;
  return matches([story.title, story.author, story.description ?? ''], search);
}
