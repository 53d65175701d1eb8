import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { ask, execute } from '../support/client.js';
import type { LibraryQuery, StoryOrder } from '../support/generated/graphql.js';
import { graphql } from '../support/generated/index.js';
import { CreateStory, DeleteStory, UpdateStory } from '../support/operations.js';
import { administrator, newStory, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const Library = graphql(`
  query Library(
    $first: Int
    $after: String
    $last: Int
    $before: String
    $language: String
    $search: String
    $tags: [String!]
    $age: Int
    $order: StoryOrder
  ) {
    stories(
      first: $first
      after: $after
      last: $last
      before: $before
      language: $language
      search: $search
      tags: $tags
      age: $age
      order: $order
    ) {
      nodes {
        id
        title
      }
      pageInfo {
        startCursor
        endCursor
        hasNextPage
        hasPreviousPage
      }
      totalCount
    }
  }
`);

const Described = graphql(`
  query Described($id: ID!) {
    story(id: $id) {
      ageFrom
      ageTo
      tags
      coverColor
      coverWidth
      coverHeight
    }
  }
`);

const Tags = graphql(`
  query Tags {
    settings {
      tags {
        tag
        stories
      }
    }
  }
`);

/** Esperanto: no other story of this file's server has this language, so a filter by it leaves only these stories. */
const OWN = 'eo';
const UNTAGGED = { author: 'Talebank', language: OWN, published: true, content: 'Unu tago.' };

let talebank: Talebank;
let url: string;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  admin = await administrator(url);
});
afterAll(() => talebank.close());

const titlesOf = async (variables: Parameters<typeof ask<never, object>>[2]): Promise<string[]> => {
  const { stories } = await ask(url, Library, { language: OWN, first: 100, ...variables });
  return stories.nodes.map(({ title }) => title);
};

const refusalOf = async (input: object): Promise<string> => {
  const story = { title: 'Refused', ...UNTAGGED, ...input };
  const { errors } = await execute(url, CreateStory, { input: story }, { token: admin.token });
  return errors[0]?.message ?? 'accepted';
};

describe('the orders of the library', () => {
  // Titles whose order would differ by bytes, by a locale or by the author's name.
  const LENGTHS: readonly (readonly [title: string, length: number])[] = [
    ['zebro', 30],
    ['Ĉevalo', 10],
    ['Cevaloj kaj hundoj', 20],
    ['cevalo Ĉ', 20],
    ['Łuko', 20],
    ['luno', 5],
    ['Luno', 400],
    ['100 noktoj', 7],
  ];
  const ids: string[] = [];

  beforeAll(async () => {
    for (const [title, length] of LENGTHS) {
      const { id } = await newStory(url, admin, {
        ...UNTAGGED,
        title,
        content: 'a'.repeat(length),
      });
      ids.push(id);
    }
    await newStory(url, admin, { ...UNTAGGED, title: 'Malneto', published: false });
  });

  const added = LENGTHS.map(([title]) => title);
  // Equal lengths are in the order in which the stories were added.
  const shortest = [...LENGTHS].sort(([, one], [, other]) => one - other).map(([title]) => title);
  const ORDERS: Readonly<Record<StoryOrder, readonly string[]>> = {
    LIBRARY: added,
    NEWEST: added.toReversed(),
    TITLE: [
      '100 noktoj',
      'Ĉevalo',
      'cevalo Ĉ',
      'Cevaloj kaj hundoj',
      'Łuko',
      'luno',
      'Luno',
      'zebro',
    ],
    SHORTEST: shortest,
    LONGEST: shortest.toReversed(),
  };

  test.each(Object.entries(ORDERS) as [StoryOrder, string[]][])(
    '%s is the same in pages of any size, forwards and backwards',
    async (order, expected) => {
      expect(await titlesOf({ order })).toEqual(expected);
      for (const size of [1, 3]) {
        const forwards: string[] = [];
        const backwards: string[] = [];
        for (let after: string | null = null, more = true; more;) {
          const { stories }: LibraryQuery = await ask(url, Library, {
            language: OWN,
            order,
            first: size,
            after,
          });
          forwards.push(...stories.nodes.map(({ title }) => title));
          after = stories.pageInfo.endCursor ?? null;
          more = stories.pageInfo.hasNextPage;
          expect(stories.totalCount).toBe(expected.length);
        }
        for (let before: string | null = null, more = true; more;) {
          const { stories }: LibraryQuery = await ask(url, Library, {
            language: OWN,
            order,
            last: size,
            before,
          });
          backwards.unshift(...stories.nodes.map(({ title }) => title));
          before = stories.pageInfo.startCursor ?? null;
          more = stories.pageInfo.hasPreviousPage;
        }
        expect(forwards).toEqual(expected);
        expect(backwards).toEqual(expected);
      }
    },
  );

  test('a search returns the requested order', async () => {
    expect(await titlesOf({ search: 'ceval', order: 'TITLE' })).toEqual(
      ORDERS.TITLE.filter((title) => title.includes('evalo')),
    );
    expect(await titlesOf({ search: 'lun', order: 'LONGEST' })).toEqual(['Luno', 'luno']);
  });

  test('a cursor of one order is refused in another', async () => {
    const cursors = new Map<StoryOrder, string>();
    const orders = Object.keys(ORDERS) as StoryOrder[];
    for (const order of orders) {
      const { stories } = await ask(url, Library, { language: OWN, order, first: 1 });
      cursors.set(order, stories.pageInfo.endCursor ?? '');
    }
    for (const order of orders)
      for (const [made, after] of cursors) {
        const { errors } = await execute(url, Library, { language: OWN, order, first: 1, after });
        expect(errors[0]?.extensions.code).toBe(order === made ? undefined : 'BAD_USER_INPUT');
      }
  });

  test('a title and a text that another program has written are in the right order', async () => {
    const [id = ''] = ids;
    const before = await talebank.database.sql<{ title: string; text_hash: string }>(
      'SELECT title, text_hash FROM stories WHERE id = $1',
      [id],
    );
    await talebank.database.sql(
      `UPDATE stories SET title = 'Abelo', text_hash = (SELECT text_hash FROM stories WHERE id = $2) WHERE id = $1`,
      [id, ids[5]],
    );
    expect((await titlesOf({ order: 'TITLE' })).indexOf('Abelo')).toBe(1);
    expect((await titlesOf({ order: 'SHORTEST' })).slice(0, 2)).toEqual(['Abelo', 'luno']);
    await talebank.database.sql('UPDATE stories SET title = $2, text_hash = $3 WHERE id = $1', [
      id,
      before[0]?.title,
      before[0]?.text_hash,
    ]);
    expect(await titlesOf({ order: 'TITLE' })).toEqual(ORDERS.TITLE);
  });

  test('the deepest page of each order is read from its index', async () => {
    const client = new pg.Client({ connectionString: talebank.database.url });
    await client.connect();
    try {
      await client.query(`BEGIN;
        INSERT INTO stories (id, slug, title, author, language, published, text_hash, search_text, title_key, tags)
        SELECT gen_random_uuid(), md5(n::text), md5(n::text), 'A', 'eo', true, (SELECT min(hash) FROM story_texts),
               md5(n::text), md5(n::text), CASE WHEN n % 1000 = 0 THEN ARRAY['rare'] ELSE ARRAY['common'] END
        FROM generate_series(1, 5000) n;
        ANALYZE stories`);
      const planOf = async (rest: string): Promise<string> => {
        const { rows } = await client.query<Record<string, unknown>>(
          `EXPLAIN SELECT s.id FROM stories s JOIN story_texts t ON t.hash = s.text_hash
           WHERE s.published AND s.deleted_at IS NULL ${rest} LIMIT 21`,
        );
        return JSON.stringify(rows);
      };
      const title = `coalesce(s.title_key, left(s.search_text, 200), '')`;
      expect(
        await planOf(`AND (${title}, s.id) > ('f', gen_random_uuid()) ORDER BY ${title}, s.id`),
      ).toContain('stories_published_title');
      expect(
        await planOf(
          `AND (s.character_count, s.id) < (100, gen_random_uuid()) ORDER BY s.character_count DESC, s.id DESC`,
        ),
      ).toContain('stories_published_length');
      expect(await planOf(`AND s.tags @> '{rare}' ORDER BY s.id`)).toContain(
        'stories_published_tags',
      );
    } finally {
      await client.query('ROLLBACK');
      await client.end();
    }
  });
});

describe('ages and tags', () => {
  const BASIS = { ...UNTAGGED, language: 'ia' };
  const listed = async (variables: object): Promise<string[]> =>
    (await titlesOf({ language: 'ia', order: 'TITLE', ...variables })) satisfies string[];

  beforeAll(async () => {
    for (const [title, ageFrom, ageTo, tags] of [
      ['Any', null, null, ['Sea', 'night']],
      ['From eight', 8, null, ['sea']],
      ['Three to six', 3, 6, ['night', 'sea', 'Night  time']],
      ['Up to two', null, 2, []],
    ] as const)
      await newStory(url, admin, { ...BASIS, title, ageFrom, ageTo, tags: [...tags] });
  });

  test('a story is found for the ages that it states', async () => {
    expect(await listed({ age: 0 })).toEqual(['Up to two']);
    expect(await listed({ age: 2 })).toEqual(['Up to two']);
    expect(await listed({ age: 3 })).toEqual(['Three to six']);
    expect(await listed({ age: 6 })).toEqual(['Three to six']);
    expect(await listed({ age: 7 })).toEqual([]);
    expect(await listed({ age: 99 })).toEqual(['From eight']);
    for (const age of [-1, 100]) {
      const { errors } = await execute(url, Library, { age });
      expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
  });

  test('a story is found by all of its tags together, in any case and spacing', async () => {
    expect(await listed({ tags: ['SEA'] })).toEqual(['Any', 'From eight', 'Three to six']);
    expect(await listed({ tags: ['night', ' sea'] })).toEqual(['Any', 'Three to six']);
    expect(await listed({ tags: ['night   TIME'], age: 4 })).toEqual(['Three to six']);
    expect(await listed({ tags: ['nigh'] })).toEqual([]);
    expect(await listed({ tags: [] })).toHaveLength(4);
    const { errors } = await execute(url, Library, { tags: [''] });
    expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('the settings count the tags of published stories', async () => {
    const one = 'a tag of one story';
    await newStory(url, admin, { ...BASIS, language: 'ie', tags: [one, 'a draft has it too'] });
    const draft = { language: 'ie', published: false };
    await newStory(url, admin, { ...BASIS, ...draft, tags: [one, 'only a draft has it'] });
    const { settings } = await ask(url, Tags, {});
    expect(settings.tags).toContainEqual({ tag: one, stories: 1 });
    expect(settings.tags.map(({ tag }) => tag)).not.toContain('only a draft has it');
    const counts = settings.tags.map(({ stories }) => stories);
    expect(counts).toEqual([...counts].sort((first, second) => second - first));
  });

  test('the counts of languages and tags are those of the stories after every kind of write', async () => {
    const { database } = talebank;
    const wrongCounts = (): Promise<unknown[]> =>
      database.sql(`WITH right_ones AS (
          SELECT kind, value, count(*)::int AS stories
          FROM stories, LATERAL (SELECT 'LANGUAGE' AS kind, language AS value
            UNION ALL SELECT 'TAG', tag FROM unnest(tags) AS t(tag)) AS entries
          WHERE published AND deleted_at IS NULL GROUP BY kind, value
        )
        (TABLE library_counts EXCEPT TABLE right_ones) UNION ALL (TABLE right_ones EXCEPT TABLE library_counts)`);
    const countOf = async (tag: string): Promise<number> => {
      const { settings } = await ask(url, Tags, {});
      return settings.tags.find((one) => one.tag === tag)?.stories ?? 0;
    };
    const tags = ['counted one', 'counted two', 'counted three'];
    // The tags stand in different orders, so writers that lock the counts as they come would wait in a circle.
    const stories = await Promise.all(
      [tags, tags.toReversed(), tags, tags.toReversed(), tags, tags.toReversed()].map((own) =>
        newStory(url, admin, { ...BASIS, language: 'ie', tags: own }),
      ),
    );
    expect(await wrongCounts()).toEqual([]);
    expect(await countOf('counted two')).toBe(6);
    const [edited, hidden, removed] = stories.map(({ id }) => id);
    const input = { ...BASIS, title: 'Counted', language: 'ie' };
    const as = admin.token;
    await Promise.all([
      ask(url, UpdateStory, { id: edited ?? '', input: { ...input, tags: ['counted two'] } }, as),
      ask(url, UpdateStory, { id: hidden ?? '', input: { ...input, tags, published: false } }, as),
      ask(url, DeleteStory, { id: removed ?? '' }, as),
    ]);
    expect(await wrongCounts()).toEqual([]);
    expect([await countOf('counted one'), await countOf('counted two')]).toEqual([3, 4]);
    // Another program writes many rows at a time.
    const ids = [stories.map(({ id }) => id)];
    await database.sql(
      `UPDATE stories SET tags = tags || '{by hand}'::text[], published = true WHERE id = ANY($1)`,
      ids,
    );
    expect(await wrongCounts()).toEqual([]);
    expect(await countOf('by hand')).toBe(5);
    await database.sql(
      `INSERT INTO stories (id, slug, title, author, language, published, text_hash, tags)
      SELECT gen_random_uuid(), id::text, title, author, 'vo', true, text_hash, '{by hand}' FROM stories WHERE id = ANY($1)`,
      ids,
    );
    expect(await countOf('by hand')).toBe(11);
    await database.sql(`DELETE FROM stories WHERE language = 'vo'`);
    await database.sql(
      `UPDATE stories SET deleted_at = coalesce(deleted_at, now()) WHERE id = ANY($1)`,
      ids,
    );
    expect(await wrongCounts()).toEqual([]);
    expect([await countOf('by hand'), await countOf('counted two')]).toEqual([0, 0]);
  });

  test('the fields of an editor are stored in one spelling, and omitted fields are cleared', async () => {
    const input = {
      ...UNTAGGED,
      language: 'ie',
      title: 'Described',
      ageFrom: 0,
      ageTo: 0,
      tags: [' Sea ', 'SEA', 'Żagle', 'deep   sea', 'Z\u0307agle'],
      coverUrl: 'https://example.com/moon.png',
      coverColor: '#9A4F0F',
      coverWidth: 300,
      coverHeight: 400,
    };
    const { id } = await newStory(url, admin, input);
    expect((await ask(url, Described, { id })).story).toEqual({
      ageFrom: 0,
      ageTo: 0,
      tags: ['sea', 'żagle', 'deep sea'],
      coverColor: '#9a4f0f',
      coverWidth: 300,
      coverHeight: 400,
    });
    const bare = { ...UNTAGGED, language: 'ie', title: 'Described' };
    await ask(url, UpdateStory, { id, input: bare }, admin.token);
    expect((await ask(url, Described, { id })).story).toEqual({
      ageFrom: null,
      ageTo: null,
      tags: [],
      coverColor: null,
      coverWidth: null,
      coverHeight: null,
    });
    const [entry] = await talebank.database.sql<{ details: unknown }>(
      `SELECT details FROM audit_entries WHERE action = 'updateStory' AND target = $1`,
      [id],
    );
    expect(entry?.details).toMatchObject({
      ageFrom: { from: 0, to: null },
      tags: { from: 'sea, żagle, deep sea', to: '' },
      coverColor: { from: '#9a4f0f', to: null },
    });
  });

  test('values out of range are refused', async () => {
    const cover = { coverUrl: 'https://example.com/moon.png' };
    expect(await refusalOf({ ageFrom: -1 })).toMatch(/ageFrom.*must be 0 to 99/);
    expect(await refusalOf({ ageTo: 100 })).toMatch(/ageTo.*must be 0 to 99/);
    expect(await refusalOf({ ageFrom: 7, ageTo: 6 })).toMatch(/ageTo.*must not be less/);
    expect(await refusalOf({ tags: ['one, two'] })).toMatch(/tags.*comma/);
    expect(await refusalOf({ tags: ['a'.repeat(31)] })).toMatch(/tags.*30 characters/);
    expect(await refusalOf({ tags: ['two\nlines'] })).toMatch(/tags.*one line/);
    expect(await refusalOf({ tags: [' '] })).toMatch(/tags.*empty/);
    const eleven = Array.from({ length: 11 }, (_, at) => `tag ${String(at)}`);
    expect(await refusalOf({ tags: eleven })).toMatch(/tags.*at most 10 tags/);
    expect(await refusalOf({ ...cover, coverColor: 'red' })).toMatch(/coverColor.*#9a4f0f/);
    expect(await refusalOf({ ...cover, coverWidth: 0, coverHeight: 1 })).toMatch(/coverWidth/);
    expect(await refusalOf({ ...cover, coverWidth: 3 })).toMatch(/coverHeight.*together/);
    expect(await refusalOf({ coverColor: '#000000' })).toMatch(/coverUrl.*together/);
  });
});
