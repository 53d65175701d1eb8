import type { OpenApp } from '../src/open-app.ts';
import type * as Fold from '../src/services/search/fold.ts';
import type * as Stories from '../src/services/stories/stories.ts';
import { compiled, print, type Bench } from './support.ts';

const STORIES = 100_000;
const REPETITIONS = 100;
const HASH = 'b'.repeat(64);

/** Stories of some twenty words each, of which some are in every tenth, hundredth or thousandth story. */
async function makeStories(app: OpenApp): Promise<string> {
  await app.db.$executeRawUnsafe(
    `INSERT INTO story_texts (hash, content, character_count) VALUES ('${HASH}', 'Bench', 5)`,
  );
  await app.db.$executeRawUnsafe(`
    INSERT INTO stories (id, slug, title, author, language, description, published, text_hash)
    SELECT gen_random_uuid(), 'bench-' || n, 'The Lamplighter and the Cat of ' || md5(n::text),
      'Żaneta ' || md5('a' || n % 5000), 'en',
      'A story about ' || md5('b' || n) || ' and ' || md5('c' || n) || ', and a night without a moon'
        || CASE WHEN n % 10 = 0 THEN ' of Wólka' ELSE '' END || CASE WHEN n % 1000 = 7 THEN ' with a zebra' ELSE '' END,
      true, '${HASH}'
    FROM generate_series(1, ${String(STORIES)}) n`);
  const [row] = await app.db.$queryRaw<{ id: string }[]>`
    SELECT id FROM stories WHERE slug = ${`bench-${String(STORIES / 2)}`}`;
  return row?.id ?? '';
}

/** Milliseconds of the median and of the slowest but five. */
async function timesOf(work: () => Promise<unknown>): Promise<[median: number, p95: number]> {
  const times: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  return [times[REPETITIONS >> 1] ?? 0, times[REPETITIONS - 6] ?? 0];
}

/** Searches of a large library against one story by its id, and the plans that Postgres makes of them. */
export async function benchSearch({ app }: Bench): Promise<void> {
  const { listStories, findStory } = await compiled<typeof Stories>('services/stories/stories.js');
  const { foldAll } = await compiled<typeof Fold>('services/search/fold.js');
  print(
    `\nSearches of ${STORIES.toLocaleString('en')} stories (medians of ${String(REPETITIONS)})`,
  );
  const id = await makeStories(app);
  const startedAt = performance.now();
  const folded = await foldAll(app);
  const seconds = (performance.now() - startedAt) / 1000;
  print(`  folded after an upgrade: ${(folded / seconds).toFixed(0)} rows a second`);
  await app.db.$executeRawUnsafe('VACUUM ANALYZE stories');
  const [base] = await timesOf(() => findStory(app, { id }, { unpublished: false }));
  print(`  one story by its id${' '.repeat(29)} ${base.toFixed(2)} ms`);
  for (const [name, search] of [
    ['words of one story, out of order', `cat ${await wordOf(app)} ZANETA`],
    ['words of one in a thousand', 'zebra LAMPLIGHTER'],
    ['a word of one in ten', 'wolka'],
    ['a word of all', 'moon'],
    ['two characters of all', 'ca'],
    ['a word of none', 'xylophone'],
    ['words of all and one of none', 'the cat xylophone'],
    ['fifty words', Array.from({ length: 50 }, (_, at) => `a${String(at)}`).join(' ')],
  ] as const) {
    const [median, p95] = await timesOf(() => listStories(app, { first: 20, search }));
    print(
      `  ${name.padEnd(48)} ${median.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms  × ${(median / base).toFixed(1)}`,
    );
  }
  for (const word of ['zebra', 'moon']) await explain(app, word);
}

async function wordOf(app: OpenApp): Promise<string> {
  const [row] = await app.db.$queryRaw<{ word: string }[]>`SELECT md5('4711') AS word`;
  return row?.word ?? '';
}

async function explain(app: OpenApp, word: string): Promise<void> {
  const grams = `{${Array.from({ length: word.length - 2 }, (_, at) => word.slice(at, at + 3)).join()}}`;
  const plan = await app.db.$queryRawUnsafe<{ 'QUERY PLAN': string }[]>(
    `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT s.id FROM stories s
     WHERE s.published AND s.deleted_at IS NULL AND search_grams(s.search_text) @> '${grams}'
       AND s.search_text LIKE ALL ('{%${word}%}'::text[]) ORDER BY s.id LIMIT 21`,
  );
  for (const line of plan) print(`      ${line['QUERY PLAN']}`);
}
