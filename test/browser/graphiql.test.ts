import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { until } from '../support/faults.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

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
}, 120_000);
afterAll(async () => {
  await browser.close();
  await talebank.close();
});

interface Visit {
  readonly page: Page;
  /** What the page complained about, and whom it asked besides its own server. */
  readonly complaints: string[];
}

async function visit(colorScheme: 'light' | 'dark'): Promise<Visit> {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1400, height: 900 } });
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
  return { page, complaints };
}

/** Runs a tab, as a person would. @returns what the answer pane shows */
async function runTab(page: Page, name: string, expected: string): Promise<string> {
  await page.getByRole('tab', { name: new RegExp(`^${name}`) }).click();
  // A person looks at a tab before running it, and the editor takes a moment to load what is in it.
  await page.waitForTimeout(1000);
  await page.getByRole('button', { name: /^Execute query/ }).click();
  const pane = page.locator('.result-window');
  const text = async (): Promise<string> => (await pane.innerText()).replaceAll('\u00a0', ' ');
  await until(
    `${name} shows ${expected}`,
    async () => (await text()).includes(expected),
    20_000,
  ).catch(async (error: unknown) => {
    await page.screenshot({ path: `${ARTIFACTS}/failed-${name}.png` });
    throw new Error(`${String(error)}\n${await text()}`);
  });
  return text();
}

/** Opens a recording as a person would: the browser shows its own player. */
async function expectPlays(url: string): Promise<void> {
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
  expect(played.duration).toBeGreaterThan(30);
}

test('a newcomer clicks through the tabs: library, sign in, price, narrate, hear, wallet', async () => {
  const { page, complaints } = await visit('light');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-light.png` });
  await page.getByText('Not signed in').waitFor();
  await runTab(page, 'Library', 'The Lamplighter');
  await runTab(page, 'SignIn', 'listener@talebank.local');
  await page.getByText('Signed in as listener@talebank.local.').waitFor();
  await runTab(page, 'Quote', '"affordable": true');
  await runTab(page, 'Narrate', '"amount": -2');
  let url: string | undefined;
  await until('it can be heard', async () => {
    const answer = (await runTab(page, 'Hear', '"status"')).replace(/\s+/g, '');
    url = /"url":"(http[^"]+\.mp3[^"]+)"/.exec(answer)?.[1];
    return url !== undefined;
  });
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-hear.png` });
  await expectPlays(url ?? '');
  await runTab(page, 'Wallet', 'DEBIT');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-wallet.png` });

  // After a reload the tab is still signed in, and asking again is free.
  await page.reload();
  await page.getByText('Signed in as listener@talebank.local.').waitFor();
  await runTab(page, 'Narrate', '"charge": null');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('Not signed in').waitFor();
  expect(complaints).toEqual([]);
}, 120_000);

test('it is dark when the system is', async () => {
  const { page, complaints } = await visit('dark');
  await runTab(page, 'Library', 'The Lamplighter');
  await page.screenshot({ path: `${ARTIFACTS}/graphiql-dark.png` });
  expect(complaints).toEqual([]);
}, 60_000);
