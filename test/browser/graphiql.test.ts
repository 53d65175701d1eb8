import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { send } from '../support/client.js';
import { until } from '../support/faults.js';
import { ADMIN, startTalebank, type Talebank } from '../support/talebank.js';

const ARTIFACTS = 'test/browser/artifacts';

let talebank: Talebank;
let browser: Browser;

beforeAll(async () => {
  await mkdir(ARTIFACTS, { recursive: true });
  talebank = await startTalebank({ SEED: 'true' });
  const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) =>
    existsSync(path),
  );
  browser = await chromium.launch({
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});
// What a page follows it follows until it is closed.
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await until('nobody follows', async () => (await followers()) === 0);
});
afterAll(async () => {
  await browser.close();
  await talebank.close();
});

interface Visit {
  readonly page: Page;
  /** Errors that the page logged, and other hosts that it sent requests to. */
  readonly complaints: string[];
}

async function visit(colorScheme: 'light' | 'dark'): Promise<Visit> {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1400, height: 900 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && protocol !== 'blob:' && origin !== talebank.url)
      complaints.push(request.url());
  });
  await page.goto(`${talebank.url}/graphiql`);
  await page.getByRole('tab', { name: /^Library/ }).waitFor();
  await page.locator('.graphiql-query-editor').getByText('stories').waitFor();
  return { page, complaints };
}

/** What the answer pane shows. */
const shown = async (page: Page): Promise<string> =>
  (await page.locator('.result-window').innerText()).replaceAll('\u00a0', ' ');

async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name: new RegExp(`^${name}`) }).click();
  // A person looks at a tab before running it, and the editor takes a moment to load what is in it.
  await page.waitForTimeout(1000);
}

async function untilShown(page: Page, expected: string): Promise<void> {
  const isShown = async (): Promise<boolean> => (await shown(page)).includes(expected);
  await until(`it shows ${expected}`, isShown, 20_000).catch(async (error: unknown) => {
    await page.screenshot({ path: `${ARTIFACTS}/failed.png` });
    throw new Error(`${String(error)}\n${await shown(page)}`);
  });
}

/** Runs a tab, as a person would. @returns what the answer pane shows */
async function runTab(page: Page, name: string, expected: string): Promise<string> {
  await openTab(page, name);
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await untilShown(page, expected);
  return shown(page);
}

/** Stops what is followed. */
async function stop(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Stop query/ }).click();
  await page.getByRole('button', { name: /^Execute query/ }).waitFor();
}

/** Writes other variables into the tab that is open, as a person would. */
async function writeVariables(page: Page, variables: object): Promise<void> {
  await page.locator('.graphiql-editor-tool .monaco-editor').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  // What is typed would get the editor's own closing brackets.
  await page.evaluate(
    `navigator.clipboard.writeText(${JSON.stringify(JSON.stringify(variables))})`,
  );
  await page.keyboard.press('ControlOrMeta+V');
  // The tab takes over what was written a moment later.
  await page.waitForTimeout(500);
}

/** How many follow something, as the server sees it. */
const followers = async (): Promise<number> =>
  Number(
    /^talebank_subscriptions (\d+)/m.exec(
      await (await fetch(`${talebank.url}/metrics`)).text(),
    )?.[1],
  );

/** Asks the server itself, beside the page. */
async function ask<Data>(query: string, variables: object, token?: string): Promise<Data> {
  const { data, errors } = await send<Data>(talebank.url, query, variables, { token });
  if (data === null || errors.length > 0) throw new Error(JSON.stringify(errors));
  return data;
}

async function administratorToken(): Promise<string> {
  const query = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';
  const { login } = await ask<{ login: { accessToken: string } }>(query, { input: { ...ADMIN } });
  return login.accessToken;
}

/** Signs in a new user on the page. @returns the id */
async function signInNewListener(page: Page): Promise<string> {
  const input = { email: `${randomUUID()}@example.com`, password: 'a good password' };
  const query = 'mutation ($input: RegisterInput!) { register(input: $input) { user { id } } }';
  const { register } = await ask<{ register: { user: { id: string } } }>(query, { input });
  await openTab(page, 'SignIn');
  await writeVariables(page, { input });
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await page.getByText(`Signed in as ${input.email}.`).waitFor();
  return register.user.id;
}

async function grant(userId: string, amount: number): Promise<void> {
  const input = {
    userId,
    amount,
    source: 'ADD_ON',
    reason: 'A test',
    idempotencyKey: randomUUID(),
  };
  const query =
    'mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { replayed } }';
  await ask(query, { input }, await administratorToken());
}

/** What the Narrate tab needs for a tale that takes a while; no two are the same, so that all of it is spoken. */
async function longTale(points: number): Promise<{ storyId: string; voiceId: string }> {
  const sentence = (n: number): string => `Night ${String(n)} went over hill ${randomUUID()}. `;
  const content = Array.from({ length: points * 20 }, (_, n) => sentence(n)).join('');
  const input = {
    title: 'A Thousand Nights',
    author: 'Talebank',
    language: 'en',
    content: content.slice(0, points * 1000 - 1) + '.',
    published: true,
  };
  const { createStory } = await ask<{ createStory: { id: string } }>(
    'mutation ($input: StoryInput!) { createStory(input: $input) { id } }',
    { input },
    await administratorToken(),
  );
  const { voices } = await ask<{ voices: { id: string }[] }>(
    '{ voices(language: "en") { id } }',
    {},
  );
  return { storyId: createStory.id, voiceId: voices[0]?.id ?? '' };
}

/** Opens a recording as a person would: the browser shows its own player. @returns how long it thinks that it is */
async function expectSounds(url: string): Promise<number> {
  const player = await browser.newPage();
  await player.goto(url);
  // The code runs in the page, whose types the tests do not have.
  const played = await player.evaluate<{ time: number; duration: number }>(`(async () => {
    const player = document.querySelector('video, audio');
    player.muted = true;
    await player.play();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return { time: player.currentTime, duration: player.duration };
  })()`);
  await player.close();
  expect(played.time).toBeGreaterThan(0.5);
  return played.duration;
}

test('a newcomer clicks through the tabs: library, sign in, price, narrate, follow, hear, wallet', async () => {
  const { page, complaints } = await visit('light');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-light.png` });
  await page.getByText('Not signed in').waitFor();
  await runTab(page, 'Library', 'The Lamplighter');
  await runTab(page, 'SignIn', 'listener@talebank.local');
  await page.getByText('Signed in as listener@talebank.local.').waitFor();
  await runTab(page, 'Quote', '"affordable": true');
  await runTab(page, 'Narrate', '"amount": -2');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-narrate.png` });
  // The narration that was just made stands in the tab, and is followed to its end.
  await runTab(page, 'FollowIt', '"status": "READY"');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-follow-ready.png` });
  await stop(page);
  let url: string | undefined;
  await until('it can be heard', async () => {
    const answer = (await runTab(page, 'Hear', '"status"')).replace(/\s+/g, '');
    url = /"url":"(http[^"]+\.mp3[^"]+)"/.exec(answer)?.[1];
    return url !== undefined;
  });
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-hear.png` });
  expect(await expectSounds(url ?? '')).toBeGreaterThan(30);
  await runTab(page, 'Wallet', 'DEBIT');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-wallet.png` });
  await runTab(page, 'FollowMyPoints', '"balance"');
  await stop(page);
  await runTab(page, 'StopIt', '"CONFLICT"');

  // After a reload the tab is still signed in, and asking again is free.
  await page.reload();
  await page.getByText('Signed in as listener@talebank.local.').waitFor();
  await runTab(page, 'Narrate', '"charge": null');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('Not signed in').waitFor();
  expect(complaints).toEqual([]);
});

test('an administrator grants points to the listener who signed in before, without looking for the id', async () => {
  const { page, complaints } = await visit('light');
  const userId = await signInNewListener(page);
  await openTab(page, 'SignIn');
  await writeVariables(page, { input: ADMIN });
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await page.getByText(`Signed in as ${ADMIN.email}.`).waitFor();
  await runTab(page, 'Grant', '"amount": 5');
  const { user } = await ask<{ user: { credits: { balance: number } } }>(
    'query ($id: ID!) { user(id: $id) { credits { balance } } }',
    { id: userId },
    await administratorToken(),
  );
  expect(user.credits.balance).toBe(15);
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-grant.png` });
  await page.getByRole('button', { name: 'Docs', exact: true }).click();
  await page.locator('.graphiql-doc-explorer-title').getByText('Docs').waitFor();
  const { width = 0 } = (await page.locator('.graphiql-doc-explorer').boundingBox()) ?? {};
  expect(width).toBeGreaterThan(200);
  const types = await page.locator('.graphiql-doc-explorer-type-name').allInnerTexts();
  const listed = types.filter((name) => !['Query', 'Mutation', 'Subscription'].includes(name));
  expect(listed.length).toBeGreaterThan(50);
  expect(listed).toEqual([...listed].sort());
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-docs.png` });
  expect(complaints).toEqual([]);
});

test('the page says on a phone that it needs a wide window', async () => {
  const { page } = await visit('light');
  const notice = page.getByText('This page needs a wide window.');
  expect(await notice.isVisible()).toBe(false);
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await notice.isVisible()).toBe(true);
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-phone.png` });
});

test('it is dark when the system is', async () => {
  const { page, complaints } = await visit('dark');
  await runTab(page, 'Library', 'The Lamplighter');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-dark.png` });
  expect(complaints).toEqual([]);
});

describe.each(['light', 'dark'] as const)('what is followed, %s', (colorScheme) => {
  const screenshot = (page: Page, name: string): Promise<unknown> =>
    page.screenshot({ path: `${ARTIFACTS}/graphiql-${name}-${colorScheme}.png` });

  test('a narration is followed while it is made, heard, and stopped', async () => {
    const { page, complaints } = await visit(colorScheme);
    await grant(await signInNewListener(page), 100);
    await openTab(page, 'Narrate');
    await writeVariables(page, { input: { ...(await longTale(100)), maxCredits: 100 } });
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await untilShown(page, '"amount": -100');
    const narrated = (await shown(page)).replace(/\s+/g, '');
    await screenshot(page, 'narrate');
    await runTab(page, 'FollowIt', '"status": "PROCESSING"');
    const seen = new Set<string>();
    await until('several events are shown', async () => {
      const [progress] = /"progress": [\d.]+/.exec(await shown(page)) ?? [];
      if (progress !== undefined) seen.add(progress);
      return seen.size >= 4;
    });
    await screenshot(page, 'follow');
    expect(await followers()).toBe(1);
    await stop(page);
    await until('nobody follows', async () => (await followers()) === 0);
    const stopped = await shown(page);
    await page.waitForTimeout(1000);
    expect(await shown(page)).toBe(stopped);
    await expectSounds(/"streamUrl":"(http[^"]+)"/.exec(narrated)?.[1] ?? '');
    await runTab(page, 'StopIt', '"status": "CANCELLED"');
    expect(await shown(page)).toContain('"amount": 100');
    await screenshot(page, 'stop');
    await runTab(page, 'FollowIt', '"status": "CANCELLED"');
    expect(complaints).toEqual([]);
  }, 120_000);

  test('points are followed until another tab is opened', async () => {
    const { page, complaints } = await visit(colorScheme);
    const userId = await signInNewListener(page);
    await runTab(page, 'FollowMyPoints', '"balance": 10');
    await grant(userId, 7);
    await untilShown(page, '"balance": 17');
    await screenshot(page, 'points');
    await openTab(page, 'Wallet');
    await until('nobody follows', async () => (await followers()) === 0);
    expect(complaints).toEqual([]);
  }, 60_000);

  test('what is refused is said in words, and what has expired is refreshed', async () => {
    const { page, complaints } = await visit(colorScheme);
    await runTab(page, 'FollowMyPoints', '"UNAUTHENTICATED"');
    await page.getByRole('button', { name: /^Execute query/ }).waitFor();
    await screenshot(page, 'refused');
    await runTab(page, 'FollowIt', '"UNAUTHENTICATED"');
    await runTab(page, 'SignIn', 'listener@talebank.local');
    const refreshed = page.waitForRequest((request) =>
      (request.postData() ?? '').includes('refreshSession'),
    );
    await page.route(
      '**/graphql/stream',
      (route) =>
        route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer old' } }),
      { times: 1 },
    );
    await runTab(page, 'FollowMyPoints', '"balance"');
    await refreshed;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await untilShown(page, '"UNAUTHENTICATED"');
    await page.getByText('Not signed in').waitFor();
    // The browser itself writes down each answer that has the status of a refusal.
    expect([...new Set(complaints)]).toEqual([
      'Failed to load resource: the server responded with a status of 401 (Unauthorized)',
    ]);
  }, 60_000);
});
