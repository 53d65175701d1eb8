/** The app with slow networks, wrong clocks, full storage, and long and right-to-left texts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { show, showLarge, visit } from '../support/app-browser.js';
import { openAppFixture, press, showsPoints, type AppFixture } from '../support/app-fixture.js';
import { until } from '../support/faults.js';

const DAY_MS = 86_400_000;
const SHORT = 'the-goose-in-front';

let app: AppFixture;
beforeAll(async () => {
  app = await openAppFixture();
});
afterEach(async () => {
  for (const context of app.browser.contexts()) await context.close();
});
afterAll(() => app.close());

interface NewStory {
  readonly title: string;
  readonly content: string;
  readonly language?: string;
  readonly slug?: string;
}

async function createStory(story: NewStory): Promise<string> {
  const input = { language: 'en', ...story, author: 'Talebank', published: true, announced: false };
  const { createStory: made } = await app.ask<{ createStory: { id: string } }>(
    'mutation ($input: StoryInput!) { createStory(input: $input) { id } }',
    { input },
    app.administrator,
  );
  return made.id;
}

const marked = (page: Page): Promise<void> =>
  page.locator('[data-sentence][aria-current=true]').waitFor();
const isReady = (page: Page): Promise<void> => page.getByText(/^Ready to hear/).waitFor();

/** Replaces the clock of the page by one that is wrong by this many milliseconds. */
const wrongClock = (wrongMs: number): string => `{
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...parts) { if (parts.length === 0) super(Right.now() + ${String(wrongMs)}); else super(...parts); }
    static now() { return Right.now() + ${String(wrongMs)}; }
  };
}`;

test.each([
  ['a day ahead', DAY_MS],
  ['a day behind', -DAY_MS],
])(
  'a clock that is %s: the session holds, and days are those of the server',
  async (_, wrongMs) => {
    const { page, complaints, id } = await app.listenAt(`/stories/${SHORT}`, {
      script: wrongClock(wrongMs),
    });
    let refreshes = 0;
    page.on('request', (request) => {
      if (request.postData()?.includes('refreshSession') === true) refreshes += 1;
    });
    await press(page, 'Narrate');
    await isReady(page);
    await marked(page);
    await app.grant(id, 30, { days: 3 });
    await page.goto(`${app.url}/wallet`);
    const at = new Date(Date.now() + 3 * DAY_MS);
    const day = at.toLocaleDateString('en-GB', { day: 'numeric', timeZone: 'Europe/Warsaw' });
    await page.getByText(new RegExp(`30 points lapse on .*\\b${day}\\b`)).waitFor();
    await page.reload();
    await showsPoints(page, '39 points');
    // One for each page that was loaded.
    expect(refreshes).toBeLessThanOrEqual(2);
    expect(complaints).toEqual([]);
  },
);

test('a storage that is forbidden or full: the story is narrated, heard and followed', async () => {
  const { page, complaints } = await app.listenAt(`/stories/${SHORT}`, {
    script: `
      Storage.prototype.setItem = () => { throw new DOMException('No room', 'QuotaExceededError'); };
      Storage.prototype.getItem = () => { throw new DOMException('Not allowed', 'SecurityError'); };
      IDBFactory.prototype.open = () => { throw new DOMException('Not allowed', 'SecurityError'); };
      if ('caches' in globalThis) CacheStorage.prototype.open = () => Promise.reject(new DOMException('Full', 'QuotaExceededError'));`,
  });
  await press(page, 'Narrate');
  await isReady(page);
  await marked(page);
  await showsPoints(page, '9 points');
  await page.getByLabel('Keep on this device').click();
  await page.getByText('It could not be kept on this device').waitFor();
  expect(complaints).toEqual([]);
});

test('three seconds of latency: a press is shown at once, and a second press is not charged again', async () => {
  const { page, context, complaints } = await app.listenAt(`/stories/${SHORT}`);
  let answers = 0;
  await context.route('**/graphql', async (route) => {
    await sleep(3000);
    if (route.request().postData()?.includes('synthesizeAudio') === true) answers += 1;
    await route.continue().catch(() => undefined);
  });
  const narrate = page.getByRole('button', { name: 'Narrate' });
  await narrate.click();
  await page.getByRole('button', { name: 'One moment …' }).waitFor();
  expect(answers).toBe(0);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Space');
  await isReady(page);
  await showsPoints(page, '9 points');
  expect(complaints).toEqual([]);
});

test('a server that stops while it narrates: the page says so, and goes on when it is back', async () => {
  const own = await openAppFixture();
  try {
    const { page, complaints } = await own.listenAt('/stories/who-stole-the-echo');
    await press(page, 'Narrate');
    await page.getByRole('progressbar').first().waitFor();
    const { port } = new URL(own.url);
    await own.talebank.server.stop();
    await page.getByText('No connection. You see what was opened before.').waitFor();
    await page.getByText('Who Stole the Echo').first().waitFor();
    await own.talebank.join({ PORT: port });
    await page.getByText('No connection.').waitFor({ state: 'hidden' });
    await isReady(page);
    await showsPoints(page, '4 points');
    const others = complaints.filter((text) => !/ERR_|Failed to fetch|network error/.test(text));
    expect(others).toEqual([]);
  } finally {
    await own.close();
  }
});

test('missed events: a narration that became ready in the meantime is still shown', async () => {
  const { page, context, complaints } = await app.listenAt(`/stories/${SHORT}`);
  // The stream answers, and sends no event.
  await context.route('**/graphql/stream', () => undefined);
  await page.reload();
  await press(page, 'Narrate');
  await isReady(page);
  expect(complaints).toEqual([]);
});

test('a story of 200,000 characters: it opens, scrolls and ends', async () => {
  const sentence = 'The keeper climbed the stairs, lit the lamp, and wrote down the hour. ';
  const paragraph = `${sentence.repeat(5).trim()}\n\n`;
  const content = paragraph.repeat(Math.floor(200_000 / paragraph.length)).trim();
  await createStory({ title: 'The longest night', content });
  const { page, complaints } = await visit(app.browser, app.url, '/stories/the-longest-night');
  await page.getByText('The keeper climbed').first().waitFor();
  const frames = await page.evaluate<number[]>(`new Promise((done) => {
    const times = [];
    const step = (time) => {
      times.push(time);
      scrollBy(0, 150);
      if (times.length < 120) requestAnimationFrame(step);
      else done(times.slice(1).map((at, index) => at - times[index]));
    };
    requestAnimationFrame(step);
  })`);
  const sorted = frames.sort((one, other) => one - other);
  console.log('frames of scrolling', {
    median: sorted[60],
    p95: sorted[113],
    longest: sorted[118],
  });
  await page.keyboard.press('End');
  await page.getByText('wrote down the hour.').last().waitFor();
  expect(complaints).toEqual([]);
});

const NARRATIONS = 5_000;
const GRANTS = 200;

/**
 * Gives a listener many narrations of drafts, which the library does not list, each with the recording of the first one.
 * @returns what takes them away again, because they have no debits
 */
async function fillUp(userId: string): Promise<() => Promise<unknown>> {
  const { database } = app.talebank;
  await database.sql(
    `WITH made AS (
      INSERT INTO stories (id, slug, title, author, language, published, text_hash)
      SELECT gen_random_uuid(), 'tale-' || n, 'Tale ' || n, 'Talebank', 'en', false, a.text_hash
      FROM generate_series(2, $2::int) n, (SELECT text_hash FROM audios WHERE user_id = $1 LIMIT 1) a
      RETURNING id
    )
    INSERT INTO audios (user_id, id, story_id, voice_id, text_hash, status, attempt, progress, job_id, debit_seq,
      rendition_hash, duration_ms, length_bytes, created_at, updated_at, ready_at)
    SELECT user_id, gen_random_uuid(), made.id, voice_id, text_hash, status, attempt, progress, job_id, debit_seq,
      rendition_hash, duration_ms, length_bytes, created_at, updated_at, ready_at
    FROM audios a, made WHERE a.user_id = $1`,
    [userId, NARRATIONS],
  );
  for (let left = GRANTS; left > 0; left -= 20)
    await Promise.all(Array.from({ length: 20 }, () => app.grant(userId, 1)));
  return () =>
    database.sql(
      `DELETE FROM audios WHERE user_id = $1
       AND story_id IN (SELECT id FROM stories WHERE slug LIKE 'tale-%')`,
      [userId],
    );
}

test('a listener with 5,000 narrations and 200 grants: the lists open, scroll and end', async () => {
  const { page, complaints, id } = await app.listenAt(`/stories/${SHORT}`);
  await press(page, 'Narrate');
  await isReady(page);
  const empty = await fillUp(id);
  let requests = 0;
  const operations: Record<string, number> = {};
  page.on('request', (request) => {
    const name = /"operationName":"(\w+)"/.exec(request.postData() ?? '')?.[1];
    if (name === undefined || !request.url().endsWith('/graphql')) return;
    operations[name] = (operations[name] ?? 0) + 1;
    requests += 1;
  });
  const took = async (step: () => Promise<unknown>): Promise<number> => {
    const startedAt = performance.now();
    await step();
    return Math.round(performance.now() - startedAt);
  };
  const openMs = await took(async () => {
    await page.goto(`${app.url}/?mine=yes`);
    await page
      .getByRole('link', { name: /^Tale / })
      .first()
      .waitFor();
  });
  const opened = requests;
  const end = page.getByText(`${NARRATIONS.toLocaleString('en-GB')} stories found.`);
  const frames: number[] = [];
  const scrollMs = await took(async () => {
    while (!(await end.isVisible())) {
      const some = await page.evaluate<number[]>(`new Promise((done) => {
        const times = [];
        const step = (time) => {
          times.push(time);
          scrollBy(0, 600);
          if (times.length < 60) requestAnimationFrame(step);
          else done(times.slice(1).map((at, index) => at - times[index]));
        };
        requestAnimationFrame(step);
      })`);
      frames.push(...some);
    }
  });
  const sorted = frames.sort((one, other) => one - other);
  const share = (part: number): number => Math.round(sorted[Math.floor(sorted.length * part)] ?? 0);
  const scrolled = requests;
  const drawn = await page.locator('[role=listitem]').count();
  const walletMs = await took(async () => {
    await page.goto(`${app.url}/wallet`);
    await press(page, 'Show more');
    await page.getByText('A present from the library').nth(30).waitFor();
  });
  console.log('5,000 narrations', {
    openMs,
    opened,
    scrollMs,
    scrolled,
    frames: { count: sorted.length, median: share(0.5), p95: share(0.95), longest: share(0.9999) },
    drawn,
    walletMs,
    wallet: requests - scrolled,
    operations,
  });
  // One request for each page of sixty.
  expect(operations['MyNarrations']).toBeLessThanOrEqual(Math.ceil(NARRATIONS / 60));
  expect(drawn).toBeLessThanOrEqual(100);
  expect(operations['WalletHistory']).toBeLessThanOrEqual(4);
  expect(complaints).toEqual([]);
  await empty();
});

test('a right-to-left text runs from right to left in an interface from left to right', async () => {
  const content =
    'פעם אחת גר ירח קטן בתוך באר. כל לילה הוא עלה עם הדלי, הביט סביב, וירד שוב לישון.\n\nבבוקר איש לא ידע.';
  await createStory({ title: 'הירח שבבאר', content, language: 'he', slug: 'moon' });
  const { page, complaints } = await visit(app.browser, app.url, '/stories/moon');
  const text = page.locator('[lang=he]').filter({ hasText: 'פעם אחת' }).last();
  await text.waitFor();
  // The code runs in the page, whose types the tests do not have.
  const direction = await page.evaluate<string>(
    `getComputedStyle([...document.querySelectorAll('[lang=he]')].at(-1)).direction`,
  );
  expect(direction).toBe('rtl');
  await show(page, 'story-right-to-left');
  expect(complaints).toEqual([]);
});

test('zoom of 400 %, text of 200 % and forced colours: nothing is cut off, covered or outside the window', async () => {
  const { page, complaints } = await app.listenAt(`/stories/${SHORT}`);
  await press(page, 'Narrate');
  await isReady(page);
  await marked(page);
  for (const [name, path] of [
    ['library', '/'],
    ['story', `/stories/${SHORT}`],
    ['wallet', '/wallet'],
    ['account', '/account'],
    ['notices', '/notices'],
    ['player', `/stories/${SHORT}/listen`],
  ] as const) {
    await page.goto(app.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await showLarge(page, name);
  }
  expect(complaints).toEqual([]);
});

test('a story that is edited or withdrawn: what was narrated stays with its text', async () => {
  const id = await createStory({
    title: 'The snail post',
    content: 'The snail brought a letter. '.repeat(30),
  });
  const { page, complaints, token } = await app.listenAt('/stories/the-snail-post');
  await press(page, 'Narrate');
  await until('the place is reported', async () => {
    const { continueListening } = await app.ask<{ continueListening: unknown[] }>(
      '{ continueListening { id } }',
      {},
      token,
    );
    return continueListening.length > 0;
  });
  const edited = {
    title: 'The snail post',
    content: 'The snail brought two letters. '.repeat(30),
    language: 'en',
    author: 'Talebank',
    published: true,
  };
  const update =
    'mutation ($id: ID!, $input: StoryInput!) { updateStory(id: $id, input: $input) { id } }';
  await app.ask(update, { id, input: edited }, app.administrator);
  await page.goto(`${app.url}/`);
  await press(page, 'Play The snail post');
  await page.getByRole('link', { name: 'The snail post' }).first().click();
  await page
    .getByText('This is the text as it was narrated. The story has been edited since.')
    .waitFor();
  await page.getByText('The snail brought a letter.').first().waitFor();
  await show(page, 'story-edited');
  await app.ask('mutation ($id: ID!) { deleteStory(id: $id) }', { id }, app.administrator);
  await page.goto(`${app.url}/`);
  await press(page, 'Play The snail post');
  await page.getByRole('link', { name: 'The snail post' }).first().click();
  await page.getByText('The snail brought a letter.').first().waitFor();
  await show(page, 'story-withdrawn');
  expect(complaints).toEqual([]);
});

test('a processor that is four times slower: the delay until a press is shown', async () => {
  const { page, context, complaints } = await app.listenAt(`/stories/${SHORT}`);
  await page.evaluate(`globalThis.delays = [];
    new PerformanceObserver((list) => { for (const { interactionId, duration } of list.getEntries())
      if (interactionId > 0) delays.push(duration); }).observe({ type: 'event', durationThreshold: 16 })`);
  const devtools = await context.newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await press(page, 'Narrate');
  await isReady(page);
  await marked(page);
  for (const index of [3, 6, 2, 8, 1])
    await page.locator(`[data-sentence="${String(index)}"]`).click();
  await press(page, 'Pause');
  await page.waitForTimeout(500);
  const delays = await page.evaluate<number[]>('delays');
  console.log(
    'interactions, four times slowed',
    delays.sort((one, other) => one - other),
  );
  expect(delays.length).toBeGreaterThan(0);
  expect(complaints).toEqual([]);
});
