import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { foldedWordsOf, foldText, gramsOf } from '../../src/domain/text.js';
import { ask, execute, send } from '../support/client.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { CreateStory, Login, Register, UpdateStory, Users } from '../support/operations.js';
import { administrator, newListener, newStory, type Person } from '../support/people.js';
import { ADMIN, startServer, type ServerProcess } from '../support/talebank.js';

/** Searches find the same whatever the locale of the database is. */

const LOCALES = [
  ['C', `ENCODING 'UTF8' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'`],
  ['Turkish', `ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LC_COLLATE 'C' LC_CTYPE 'C'`],
  ['the root', `ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'und' LC_COLLATE 'C' LC_CTYPE 'C'`],
] as const;

const TALES = {
  turkish: { title: 'Irmak ve Işık', author: 'İpek Yılmaz', description: 'DİYARBAKIR’da' },
  german: { title: 'Die große Straße', author: 'Jörg Weiß', description: 'Für ALLE' },
  greek: { title: 'Ὀδυσσεύς', author: 'ΟΜΗΡΟΣ', description: 'Μῆνιν ἄειδε θεά' },
  polish: { title: 'Zażółć gęślą jaźń', author: 'ŁUKASZ Øster', description: null },
  russian: { title: 'Ёлка и мир', author: 'ЛЕВ ТОЛСТОЙ', description: null },
  korean: { title: '각시와 범', author: '김', description: null },
  literal: { title: '100% of_it', author: 'back\\slash', description: 'it’s — “quoted”' },
} as const;
type Tale = keyof typeof TALES;

/** What is searched for, and the tales that have it. */
const SEARCHES: readonly (readonly [search: string, ...found: Tale[]])[] = [
  ['IŞIK', 'turkish'],
  ['ışık', 'turkish'],
  ['isik irmak', 'turkish'],
  ['IRMAK', 'turkish'],
  ['ipek', 'turkish'],
  ['İPEK', 'turkish'],
  ['I\u0307PEK YILMAZ', 'turkish'],
  ['diyarbakir', 'turkish'],
  ['GROSSE', 'german'],
  ['GROẞE STRASSE', 'german'],
  ['straße große', 'german'],
  ['weiss jorg alle', 'german'],
  ['ΟΔΥΣΣΕΎΣ', 'greek'],
  ['οδυσσευς', 'greek'],
  ['όμηρος οδυσσευσ', 'greek'],
  ['μηνιν ΘΕΆ', 'greek'],
  ['zazolc gesla', 'polish'],
  ['JAŹŃ ŻÓŁĆ', 'polish'],
  ['zaz\u0307o\u0301łc\u0301', 'polish'],
  ['łukasz oster', 'polish'],
  ['Lukasz ØSTER', 'polish'],
  ['елка толстой', 'russian'],
  ['МИР лев', 'russian'],
  ['각시', 'korean'],
  ['가시'],
  ['김', 'korean'],
  ['범 각', 'korean'],
  ['100%', 'literal'],
  ['1%0'],
  ['of_it', 'literal'],
  ['1_0'],
  ['K\\S', 'literal'],
  [`it's`, 'literal'],
  ['– "quoted"', 'literal'],
  ['%%%'],
  ['grosse zazolc'],
  ['´'],
];

test('the index knows every word of every text', () => {
  for (const { title, author } of Object.values(TALES)) {
    const text = foldText(`${title}\n${author}`);
    for (const word of text.split(' ')) {
      const grams = gramsOf([word]);
      expect(grams.length).toBe(Math.max(0, Array.from(word).length - 2));
      expect(grams.every((gram) => text.includes(gram))).toBe(true);
    }
  }
  expect(gramsOf(foldedWordsOf('Kot \u{1F408}\u{1F408}'))).toEqual(['kot']);
  expect(gramsOf(foldedWordsOf('abcdefgh '.repeat(2) + 'x'.repeat(150))).length).toBeLessThan(50);
});

describe.each(LOCALES)('in a database whose locale is %s', (name, locale) => {
  let database: TestDatabase;
  let environment: Record<string, string>;
  let server: ServerProcess;
  let url: string;
  let admin: Person;
  const ids = new Map<string, Tale>();

  beforeAll(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'talebank-search-'));
    database = await createDatabase({ locale });
    environment = {
      ROLE: 'api',
      SEED: 'true',
      DATABASE_URL: database.url,
      DATA_DIR: dataDir,
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
    };
    server = await startServer(environment);
    url = server.url;
    admin = await administrator(url);
    for (const [known, tale] of Object.entries(TALES))
      ids.set((await newStory(url, admin, tale)).id, known as Tale);
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
    await rm(environment['DATA_DIR'] ?? '', { recursive: true, force: true });
  });

  async function stories(search: string): Promise<{ id: string; slug: string }[]> {
    const query =
      'query ($search: String) { stories(first: 100, search: $search) { nodes { id slug } } }';
    const { data, errors } = await send<{ stories: { nodes: { id: string; slug: string }[] } }>(
      url,
      query,
      { search },
    );
    expect(errors).toEqual([]);
    return data?.stories.nodes ?? [];
  }
  const tales = async (search: string): Promise<(Tale | undefined)[]> =>
    (await stories(search)).map(({ id }) => ids.get(id)).filter((name) => name !== undefined);

  test('words are found in any order, in any case, with and without marks', async () => {
    for (const [search, ...found] of SEARCHES)
      expect([search, await tales(search)]).toEqual([search, found]);
    const slugs = async (search: string): Promise<string[]> =>
      (await stories(search)).map(({ slug }) => slug);
    for (const search of ['LIGHT', 'cat lamplighter', 'LAMPLIGHTER’S'])
      expect(await slugs(search)).toContain('the-lamplighters-cat');
    for (const search of ['żabia wólka', 'ŻABIA WÓLKA', 'zabia wolka', 'Wólka Żabia'])
      expect(await slugs(search)).toEqual(['bocian-na-stacji-zabia-wolka']);
    expect((await stories('')).length).toBe((await stories(' ')).length);
    expect((await stories('')).length).toBeGreaterThan(Object.keys(TALES).length);
  });

  test('a changed story is found by its new text, also if SQL changed it', async () => {
    const input = {
      title: 'Łabędź',
      author: 'Nobody',
      language: 'pl',
      content: 'Był raz łabędź.',
      published: true,
    };
    const { createStory } = await ask(url, CreateStory, { input }, admin.token);
    const { id } = createStory;
    const found = async (search: string): Promise<boolean> =>
      (await stories(search)).some((story) => story.id === id);
    expect(await found('LABEDZ')).toBe(true);
    await ask(url, UpdateStory, { id, input: { ...input, title: 'Dzięcioł' } }, admin.token);
    expect([await found('labedz'), await found('DZIECIOL')]).toEqual([false, true]);
    // The same when folded.
    await ask(url, UpdateStory, { id, input: { ...input, title: 'DZIĘCIOŁ' } }, admin.token);
    expect(await found('dzieciol')).toBe(true);
    await database.sql(`UPDATE stories SET title = 'Żubr', description = 'IŞIK' WHERE id = $1`, [
      id,
    ]);
    expect([await found('dzieciol'), await found('zubr isik')]).toEqual([false, true]);
    await ask(url, UpdateStory, { id, input: { ...input, published: false } }, admin.token);
    expect(await found('labedz')).toBe(false);
  });

  test('people are found by their address and name alike, and an address has no case', async () => {
    const person = await newListener(url);
    const search = async (words: string): Promise<string[]> =>
      (await ask(url, Users, { search: words }, admin.token)).users.nodes.map(({ id }) => id);
    const rename = 'mutation ($name: String) { updateProfile(displayName: $name) { id } }';
    await send(url, rename, { name: 'Żaneta ILICA-İyi' }, person);
    const part = person.email.slice(3, -5).toUpperCase();
    for (const words of ['zaneta ilica', 'IYI ŻANETA', part, `ilica ${part}`])
      expect([words, await search(words)]).toEqual([words, [person.id]]);
    await send(url, rename, { name: null }, person);
    expect(await search('zaneta')).toEqual([]);
    const input = { email: 'IRIS.I@EXAMPLE.COM', password: 'a good password' };
    const { register } = await ask(url, Register, { input });
    const again = await execute(url, Register, {
      input: { ...input, email: 'iris.i@example.com' },
    });
    expect(again.errors[0]?.extensions.code).toBe('EMAIL_TAKEN');
    const { login } = await ask(url, Login, { input: { ...input, email: 'Iris.I@Example.com' } });
    expect(login.user.id).toBe(register.user.id);
    const one = `{ user(email: "IRIS.I@example.COM") { id } }`;
    expect((await send(url, one, {}, admin)).data).toEqual({ user: { id: register.user.id } });
    expect(await search('IRIS.I')).toEqual([register.user.id]);
    const leave = 'mutation { deleteAccount(password: "a good password") }';
    const { accessToken: token } = login;
    expect((await send(url, leave, {}, { token })).errors).toEqual([]);
    expect(await search('iris')).toEqual([]);
    const [left] = await database.sql('SELECT search_text FROM users WHERE id = $1', [
      register.user.id,
    ]);
    expect(left).toEqual({ search_text: null });
  });

  // Once is enough: starting takes a while.
  if (name === 'Turkish') {
    test('what an earlier release has written is folded at the start, and the index finds it', async () => {
      await database.sql('UPDATE stories SET search_text = NULL');
      await database.sql('UPDATE users SET search_text = NULL');
      const other = await startServer(environment);
      await other.stop();
      for (const table of ['stories', 'users']) {
        const unfolded = await database.sql(
          `SELECT id FROM ${table} WHERE search_text IS NULL AND deleted_at IS NULL`,
        );
        expect(unfolded).toEqual([]);
      }
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      await client.query(`BEGIN;
        INSERT INTO stories (id, slug, title, author, language, published, text_hash, search_text)
        SELECT gen_random_uuid(), md5(n::text), 'T', 'A', 'en', true, (SELECT min(hash) FROM story_texts), md5(n::text)
        FROM generate_series(1, 5000) n;
        ANALYZE stories`);
      const plan = await client.query(
        `EXPLAIN SELECT id FROM stories WHERE published AND deleted_at IS NULL
           AND search_grams(search_text) @> '{zub}' ORDER BY id LIMIT 21`,
      );
      await client.query('ROLLBACK');
      await client.end();
      const text = JSON.stringify(plan.rows);
      expect(text).toContain('stories_search');
      const grams = await database.sql<{ grams: string[] }>(`SELECT search_grams($1) AS grams`, [
        foldText('Abc ab ω각\u{1F408}'),
      ]);
      expect(grams[0]?.grams.sort()).toEqual(['abc', 'ω각\u{1F408}'].sort());
    });
  }
});
