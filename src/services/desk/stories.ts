import { z } from 'zod';
import type { App } from '../app.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { countRows } from '../counting.sql.js';
import { foldBeforeSearch } from '../search/fold.js';
import { storyListing, type Story, type StoryState } from '../stories/stories.js';
import { parseRequest } from '../validation.js';
import { allStoriesQuery, readAllStories } from './stories.sql.js';

const cursors = cursorsOf('allStories', z.uuid());

export interface AllStoriesFilter extends PageArguments {
  readonly search?: string | null;
  readonly language?: string | null;
  readonly state?: readonly StoryState[] | null;
}

/** Stories in any state, newest first. @throws BAD_USER_INPUT */
export async function listAllStories(app: App, args: AllStoriesFilter): Promise<Page<Story>> {
  const window = windowOf(args, cursors);
  const { language, search: words } = parseRequest(storyListing, args);
  if (words.length > 0) await foldBeforeSearch(app, 'stories');
  const states = args.state == null ? null : [...new Set(args.state)];
  const selection = { language, words, states };
  const rows = await readAllStories(app.db, { window, selection });
  const page = pageOf(rows, window, cursors, (story) => story.id);
  return { ...page, count: () => countRows(app.db, allStoriesQuery(selection)) };
}
