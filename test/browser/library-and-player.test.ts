/** The library, the page of a story and the player, in a real Chromium with real narrations. */
import { readdir, stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';
import { forgive, show, visit } from '../support/app-browser.js';
import { openAppFixture, press, showsPoints, type AppFixture } from '../support/app-fixture.js';
import { until } from '../support/faults.js';

/** A story of one minute, so that a test need not wait for its narration. */
const SHORT = 'the-goose-in-front';
const LONGEST = 'who-stole-the-echo';

let app: AppFixture;
beforeAll(async () => {
  app = await openAppFixture();
});
afterEach(async () => {
  for (const context of app.browser.contexts()) await context.close();
});
afterAll(() => app.close());

const box = (page: Page): ReturnType<Page['locator']> =>
  page.getByRole('region', { name: 'Hear this story' });
const heightOfBox = async (page: Page): Promise<number> =>
  (await box(page).boundingBox())?.height ?? 0;

/** Waits until the spoken sentence is marked. */
const marked = (page: Page): Promise<void> =>
  page.locator('[data-sentence][aria-current=true]').waitFor();

/** Has the short story narrated and waits for the recording. */
async function narrate(page: Page): Promise<void> {
  await press(page, 'Narrate');
  await page.getByText(/^Ready to hear/).waitFor();
}

test('the library, signed out: search, filters in the address, and the end of the list', async () => {
  const { page, complaints } = await visit(app.browser, app.url, '/');
  await page.getByText('You get 10 points for signing up').waitFor();
  await page.getByText('That is the whole library').waitFor();
  await show(page, 'library-signed-out');
  await page.getByRole('searchbox', { name: 'Search' }).fill('zabia WOLKA');
  await page.getByText('1 story found.').waitFor();
  expect(new URL(page.url()).searchParams.get('search')).toBe('zabia WOLKA');
  await show(page, 'library-found');
  await page.getByRole('searchbox', { name: 'Search' }).fill('no such story');
  await page.getByText('No story matches.').waitFor();
  await show(page, 'library-nothing-found');
  await press(page, 'Show all stories');
  await page.getByRole('search').getByLabel('Language').selectOption('pl');
  await page.getByLabel('Length').selectOption('short');
  await page.getByText(/stories found/).waitFor();
  await page.reload();
  expect(await page.getByLabel('Length').inputValue()).toBe('short');
  await page.getByRole('link', { name: 'Jak zasypia rzeka' }).click();
  await page.getByText('Have this story read to you').waitFor();
  await show(page, 'story-signed-out');
  await page.goto(`${app.url}/stories/no-such-story`);
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  await show(page, 'not-found');
  expect(complaints).toEqual([]);
});

test('a story is narrated, heard and read along, and the charge is seen', async () => {
  const { page, complaints } = await app.listenAt(`/stories/${SHORT}`);
  await page.getByText('1 of your 10 gift points').waitFor();
  const height = await heightOfBox(page);
  await show(page, 'story-price');
  await press(page, 'Narrate');
  await showsPoints(page, '9 points');
  const player = page.getByRole('region', { name: 'Player' });
  await player.getByText(/^0:0[1-9]/).waitFor();
  await page.getByText(/^Ready to hear/).waitFor();
  expect(await heightOfBox(page)).toBe(height);
  await marked(page);
  await show(page, 'story-reading-along');

  // A press on a sentence goes there, and the player goes on on the other pages.
  await page.getByRole('button', { name: 'Outside in the rain stood sixty-three geese' }).click();
  await page
    .getByRole('button', { name: 'Outside in the rain' })
    .and(page.locator('[aria-current=true]'))
    .waitFor();
  await page.getByRole('link', { name: 'Library', exact: true }).click();
  await player.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('heading', { name: 'Library' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Continue' }).waitFor();
  await show(page, 'library-continue');
  await page.getByRole('button', { name: 'Play The Goose in Front' }).click();
  await player.getByRole('button', { name: 'Pause' }).waitFor();
  await page.getByRole('button', { name: 'Mine' }).click();
  await page.getByText('1 story found.').waitFor();
  expect(complaints).toEqual([]);
});

test('the full player: keys, speed for each title, bookmark, sleep, and “Back to the narrator”', async () => {
  const { page, complaints } = await app.listenAt(`/stories/${SHORT}`);
  await narrate(page);
  await page.getByRole('link', { name: 'Open the player' }).first().click();
  await marked(page);
  await show(page, 'player');
  await page.locator('h1').click();
  for (const key of [']', ']', 'b', 's', '?']) await page.keyboard.press(key);
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await show(page, 'player-keys');
  await press(page, 'Close');
  expect(await page.getByLabel('Speed').inputValue()).toBe('1.10');
  expect(await page.getByLabel('Sleep timer').inputValue()).toBe('10');
  await page.getByRole('heading', { name: 'Bookmarks' }).waitFor();
  await page.mouse.wheel(0, 400);
  await press(page, 'Back to the narrator');
  await page.getByRole('button', { name: 'Back to the narrator' }).waitFor({ state: 'detached' });
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press(' ');
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Text settings' }).click();
  await page.getByLabel('Typeface').selectOption('opendyslexic');
  await page.getByLabel('Size').selectOption('32');
  await show(page, 'player-large-text');
  await page.reload();
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await until(
    'the speed is back',
    async () => (await page.getByLabel('Speed').inputValue()) === '1.10',
  );
  expect(complaints).toEqual([]);
});

test('another device is ahead: the listener jumps or stays', async () => {
  const { page, token, complaints } = await app.listenAt(`/stories/${SHORT}`);
  await narrate(page);
  await page
    .getByRole('region', { name: 'Player' })
    .getByText(/^0:0[2-9]/)
    .waitFor();
  await press(page, 'Pause');
  const { me } = await app.ask<{ me: { audio: { nodes: { id: string }[] } } }>(
    '{ me { audio { nodes { id } } } }',
    {},
    token,
  );
  const at = new Date(Date.now() + 1000).toISOString();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const report =
    'mutation ($input: ListeningInput!) { reportListening(input: $input) { positionMs } }';
  const input = { audioId: me.audio.nodes[0]?.id, positionMs: 40_000, at };
  await app.ask(report, { input }, token);
  await page.reload();
  await press(page, 'Play');
  await page
    .getByText('You listened further on another device (The other one), up to 0:40.')
    .waitFor();
  await show(page, 'player-elsewhere');
  await press(page, 'Jump to 0:40');
  await page
    .getByRole('region', { name: 'Player' })
    .getByText(/^0:4\d/)
    .waitFor();
  expect(complaints).toEqual([]);
});

test('an address that does not work any more is replaced, and the recording goes on', async () => {
  // What a service worker asks for cannot be answered by a test.
  const { page, complaints } = await app.listenAt(`/stories/${SHORT}`, { serviceWorkers: 'block' });
  await narrate(page);
  await page.reload();
  let refused = 0;
  // The first two addresses are answered as expired ones are.
  await page.route(/\/files\/.*\.mp3/, (route) => {
    refused += 1;
    return refused <= 2 ? route.fulfill({ status: 403 }) : route.continue();
  });
  await press(page, 'Play');
  await until('a third address is asked for', () => Promise.resolve(refused > 2));
  await page
    .getByRole('region', { name: 'Player' })
    .getByText(/^(?:0:0[4-9]|0:[1-5]\d|1:)/)
    .waitFor();
  forgive(complaints, 403);
  expect(complaints).toEqual([]);
});

test('cancelling brings the points back, and so does a failure, which is said in words', async () => {
  const story = {
    title: 'Three asterisks',
    author: 'Talebank',
    language: 'en',
    content: '* * *',
    published: true,
  };
  const create = 'mutation ($input: StoryInput!) { createStory(input: $input) { id } }';
  await app.ask(create, { input: story }, app.administrator);
  const { page, complaints } = await app.listenAt(`/stories/three-asterisks`);
  const height = await heightOfBox(page);
  await press(page, 'Narrate');
  await page.getByText('There are no words to read in this text.').waitFor();
  await page.getByText('Your points are back.').waitFor();
  await showsPoints(page, '10 points');
  expect(await heightOfBox(page)).toBe(height);
  await show(page, 'story-failed');
  await page.getByRole('button', { name: 'Try again' }).waitFor();
  expect(complaints).toEqual([]);
});

test('stories by tag, age and order, a sample of a voice, and a recording that is deleted', async () => {
  const { page, complaints } = await app.listenAt('/');
  await page.getByLabel('Order').selectOption('SHORTEST');
  await page.getByLabel('Age', { exact: true }).selectOption({ index: 1 });
  await page.getByLabel('About', { exact: true }).selectOption({ index: 1 });
  await page.getByText(/stor(y|ies) found/).waitFor();
  const address = new URL(page.url()).searchParams;
  expect([address.get('order'), address.has('age'), address.has('tag')]).toEqual([
    'SHORTEST',
    true,
    true,
  ]);
  await show(page, 'library-filtered');
  await page.goto(`${app.url}/stories/${SHORT}`);
  await press(page, 'Hear a sample');
  await page.getByRole('button', { name: 'Hear a sample', pressed: true }).waitFor();
  await narrate(page);
  await press(page, 'Delete the recording');
  const dialog = page.getByRole('dialog', { name: 'Delete this recording?' });
  await dialog.waitFor();
  await show(page, 'story-delete');
  await dialog.getByRole('button', { name: 'Delete the recording' }).click();
  await page.getByRole('button', { name: 'Narrate' }).waitFor();
  await showsPoints(page, '9 points');
  expect(complaints).toEqual([]);
});

test('too few points: how many are missing, and a grant that changes it at once', async () => {
  const { page, id, token, complaints } = await app.listenAt(`/stories/${LONGEST}`);
  await page.getByText('6 of your 10 gift points').waitFor();
  const height = await heightOfBox(page);
  const { story } = await app.ask<{ story: { id: string } }>(
    'query ($slug: String!) { story(slug: $slug) { id } }',
    { slug: LONGEST },
  );
  const { voices } = await app.ask<{ voices: { id: string }[] }>(
    '{ voices(language: "en") { id } }',
    {},
  );
  const input = { storyId: story.id, voiceId: voices[1]?.id };
  await app.ask(
    'mutation ($input: SynthesizeAudioInput!) { synthesizeAudio(input: $input) { balance } }',
    { input },
    token,
  );
  await showsPoints(page, '4 points');
  await box(page)
    .getByLabel('Voice')
    .selectOption(voices[0]?.id ?? '');
  await page.getByText('2 points are missing').waitFor();
  await page.getByText('The story costs 6 points, and you have 4.').waitFor();
  expect(await heightOfBox(page)).toBe(height);
  await show(page, 'story-too-few');
  await app.grant(id, 3);
  await page.getByRole('button', { name: 'Narrate' }).waitFor();
  await showsPoints(page, '7 points');
  expect(complaints).toEqual([]);
});

test('ten tabs hold one stream, and all see a grant', async () => {
  const { page, id, context, complaints } = await app.listenAt('/wallet');
  const streams = new Set<string>();
  context.on('request', (request) => {
    if (request.url().endsWith('/graphql/stream'))
      streams.add(`${request.url()} ${String(streams.size)}`);
  });
  const pages = [page, ...(await openTabs(context, 9))];
  for (const tab of pages) await showsPoints(tab, '10 points');
  await app.grant(id, 5);
  for (const tab of pages) await showsPoints(tab, '15 points');
  // The first tab may connect after the count has begun, and no other one does.
  expect(streams.size).toBeLessThanOrEqual(1);
  await page.close();
  await app.grant(id, 1);
  for (const tab of pages.slice(1)) await showsPoints(tab, '16 points');
  expect(complaints).toEqual([]);
});

async function openTabs(context: BrowserContext, count: number): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let tab = 0; tab < count; tab += 1) {
    const page = await context.newPage();
    await page.goto(`${app.url}/wallet`);
    tabs.push(page);
  }
  return tabs;
}

test('a device that is signed out elsewhere asks to sign in, and nothing of the person is left', async () => {
  const { page, token, sessionId } = await app.listenAt(`/stories/${SHORT}`);
  await narrate(page);
  await page.getByLabel('Keep on this device').click();
  await until('the recording is kept', () => holdsRecording(page));
  const { me } = await app.ask<{ me: { sessions: { id: string }[] } }>(
    '{ me { sessions { id } } }',
    {},
    token,
  );
  const other = me.sessions.find(({ id }) => id !== sessionId)?.id;
  await app.ask('mutation ($id: ID!) { revokeSession(id: $id) }', { id: other }, token);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await holdsRecording(page)).toBe(false);
  const left = await page.evaluate<string[]>('Object.keys(localStorage)');
  expect(left.filter((key) => /person|position|voice/.test(key))).toEqual([]);
});

const holdsRecording = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>(`caches.open('talebank-recordings').then((cache) => cache.keys())
    .then((keys) => keys.length > 0)`);

test('without a connection: what was opened is shown, and what was kept is heard', async () => {
  const { page, context, complaints } = await app.listenAt(`/stories/${SHORT}`);
  await narrate(page);
  await page.getByLabel('Keep on this device').click();
  await until('the recording is kept', () => holdsRecording(page));
  await press(page, 'Pause');
  await page.evaluate('navigator.serviceWorker.ready');
  await page.goto(`${app.url}/`);
  await page.getByRole('link', { name: 'The Goose in Front' }).first().waitFor();
  await until('the answers are stored', () => hasStored(page));
  await context.setOffline(true);
  await page.reload();
  await page.getByText('No connection. You see what was opened before.').waitFor();
  await page.getByRole('link', { name: 'The Goose in Front' }).first().click();
  await page.getByText('One wet Friday a goose walked into the post office').waitFor();
  await show(page, 'offline');
  await press(page, 'Play');
  await marked(page);
  await context.setOffline(false);
  await page.getByText('No connection.').waitFor({ state: 'hidden' });
  const others = complaints.filter(
    (text) => !/ERR_INTERNET_DISCONNECTED|Failed to fetch|ERR_FAILED/.test(text),
  );
  expect(others).toEqual([]);
});

/** Graphcache writes what it has read when the page is idle. */
const hasStored = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>(`indexedDB.databases().then((all) => Promise.all(all.map(({ name }) => new Promise((done) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => {
      const database = request.result;
      const store = database.objectStoreNames[0];
      const all = database.transaction(store).objectStore(store).getAll();
      all.onsuccess = () => { database.close(); done(JSON.stringify(all.result).includes('One wet Friday')); };
    };
  })))).then((found) => found.includes(true))`);

test('in Polish', async () => {
  const { page, complaints } = await app.listenAt('/stories/jak-zasypia-rzeka', {
    locale: 'pl-PL',
  });
  await page.getByText('2 z 10 punktów (podarowane)').waitFor();
  await show(page, 'story-price-pl');
  await page.getByRole('button', { name: 'Nagraj' }).click();
  await page.getByText(/^Gotowe do słuchania/).waitFor();
  await page.getByRole('link', { name: 'Otwórz odtwarzacz' }).first().click();
  await marked(page);
  await show(page, 'player-pl');
  await page.getByRole('button', { name: 'Menu' }).click();
  await show(page, 'menu-pl');
  expect(complaints).toEqual([]);
});

/** One pixel. */
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

test('a cover is its main colour until the image is loaded, and nothing moves then', async () => {
  const input = {
    title: 'The slow cover',
    slug: 'the-slow-cover',
    author: 'Talebank',
    language: 'en',
    content: 'A cover took its time.',
    coverUrl: `${app.url}/held-cover.png`,
    coverColor: '#123456',
    published: true,
  };
  const { createStory } = await app.ask<{ createStory: { id: string } }>(
    'mutation ($input: StoryInput!) { createStory(input: $input) { id } }',
    { input },
    app.administrator,
  );
  const { page, context, complaints } = await visit(app.browser, app.url, '/nothing', {
    serviceWorkers: 'block',
    script: `globalThis.moved = 0;
      new PerformanceObserver((list) => { for (const { value } of list.getEntries()) moved += value; })
        .observe({ type: 'layout-shift', buffered: true })`,
  });
  for (const path of ['/?search=slow+cover', '/stories/the-slow-cover']) {
    let load = (): void => undefined;
    const loading = new Promise<void>((resolve) => (load = resolve));
    await context.route('**/held-cover.png', async (route) => {
      await loading;
      await route.fulfill({ contentType: 'image/png', body: Buffer.from(PIXEL, 'base64') });
    });
    await page.goto(app.url + path, { waitUntil: 'domcontentloaded' });
    const image = page.locator('img[src$="held-cover.png"]');
    await image.waitFor({ state: 'attached' });
    const before = await image.boundingBox();
    // The code runs in the page, whose types the tests do not have.
    const behind = await page.evaluate<string>(
      `getComputedStyle(document.querySelector('img[src$="held-cover.png"]').previousElementSibling).backgroundColor`,
    );
    expect([path, behind]).toEqual([path, 'rgb(18, 52, 86)']);
    load();
    await until('the image is loaded', () =>
      page.evaluate<boolean>(
        `document.querySelector('img[src$="held-cover.png"]').naturalWidth === 1`,
      ),
    );
    expect(await image.boundingBox()).toEqual(before);
    expect(await page.evaluate<number>('moved')).toBeLessThanOrEqual(0.02);
    await context.unroute('**/held-cover.png');
  }
  const deletion = 'mutation ($id: ID!) { deleteStory(id: $id) }';
  await app.ask(deletion, { id: createStory.id }, app.administrator);
  expect(complaints).toEqual([]);
});

test('the figures of the first load: script, style, fonts, and what moves', async () => {
  const sizes = await sizesOf('web/dist/assets');
  const { context } = await visit(app.browser, app.url, '/nothing');
  for (const path of ['/', `/stories/${SHORT}`]) {
    const page = await context.newPage();
    await page.addInitScript(`window.figures = { lcp: 0, cls: 0 };
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) figures.lcp = entry.startTime; })
        .observe({ type: 'largest-contentful-paint', buffered: true });
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) figures.cls += entry.value; })
        .observe({ type: 'layout-shift', buffered: true });`);
    await page.goto(app.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.evaluate('document.fonts.ready');
    await page.waitForTimeout(500);
    const scripts = await page.evaluate<string[]>(
      `performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1))`,
    );
    const loaded = (ending: string): number =>
      scripts
        .filter((name) => name.endsWith(ending))
        .reduce((sum, name) => sum + (sizes.get(`${name}.br`) ?? sizes.get(name) ?? 0), 0);
    const figures = await page.evaluate<{ lcp: number; cls: number }>('figures');
    const bytes = { script: loaded('.js'), style: loaded('.css'), fonts: loaded('.woff2') };
    console.log(path, JSON.stringify({ ...figures, ...bytes }));
    expect(bytes.script).toBeLessThanOrEqual(120_000);
    expect(bytes.style).toBeLessThanOrEqual(12_000);
    expect(bytes.fonts).toBeLessThanOrEqual(130_000);
    expect(figures.cls).toBeLessThanOrEqual(0.02);
  }
});

async function sizesOf(folder: string): Promise<Map<string, number>> {
  const names = await readdir(folder);
  const sizes = names.map(async (name) => [name, (await stat(`${folder}/${name}`)).size] as const);
  return new Map(await Promise.all(sizes));
}
