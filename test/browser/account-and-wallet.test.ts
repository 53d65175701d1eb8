import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { ARTIFACTS, forgive, show, visit } from '../support/app-browser.js';
import { send } from '../support/client.js';
import { openAppFixture, PASSWORD, signIn, type AppFixture } from '../support/app-fixture.js';
import { until } from '../support/faults.js';

let app: AppFixture;
beforeAll(async () => {
  app = await openAppFixture();
});
afterEach(async () => {
  for (const context of app.browser.contexts()) await context.close();
});
afterAll(() => app.close());

/** The newest mailed link to a page, for an address. */
async function mailedLink(email: string, page: string): Promise<string> {
  let link: string | undefined;
  await until('the mail is there', async () => {
    const text = await (await fetch(`${app.url}/dev/mail`)).text();
    const mail = text.split('<article>').find((one) => one.includes(email) && one.includes(page));
    link = /href="(http[^"]+)"/.exec(mail ?? '')?.[1];
    return link !== undefined;
  });
  return link ?? '';
}

const balance = (page: Page): Promise<string> => page.getByTestId('balance').innerText();

/** “1,317 points” is 1317. */
const numberOf = (text: string): number => Number(text.replace(/\D/g, ''));

test('a visitor signs up and confirms the address, and the link does not work twice', async () => {
  const { page, complaints } = await visit(app.browser, app.url, '/sign-up');
  await page.getByText('You start with 10 points.').waitFor();
  await show(page, 'sign-up');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('Write your e-mail address.').waitFor();
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByText('3 characters more.').waitFor();
  await show(page, 'sign-up-faults');
  const email = `${randomUUID()}@example.com`;
  await page.getByLabel('Name (optional)').fill('Ola');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByText('This is a strong password.').waitFor();
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('link', { name: /^Wallet, 10 points/ }).waitFor();

  await page.goto(`${app.url}/account`);
  await page.getByText('This address is not confirmed yet.').waitFor();
  await show(page, 'account-unconfirmed');
  const link = await mailedLink(email, '/verify');
  await page.goto(link);
  await page.getByText('Your address is confirmed. Thank you!').waitFor();
  await show(page, 'verify-done');
  await page.goto(link);
  await page.getByRole('heading', { name: 'This link no longer works' }).waitFor();
  await show(page, 'verify-spent');
  forgive(complaints, 400);
  expect(complaints).toEqual([]);
});

test('signing in: a wrong password is said in words, and the demo listener is one press away', async () => {
  const { page, complaints } = await visit(app.browser, app.url, '/wallet?type=GRANT');
  await page.getByRole('button', { name: /Demo listener/ }).waitFor();
  await show(page, 'sign-in');
  const field = page.getByLabel('Password', { exact: true });
  expect(await page.getByLabel('E-mail').getAttribute('autocomplete')).toBe('username');
  expect(await field.getAttribute('autocomplete')).toBe('current-password');
  await signIn(page, 'listener@talebank.local', 'not this one');
  await page.getByText('The address or the password is wrong.').waitFor();
  await show(page, 'sign-in-wrong');
  forgive(complaints, 401);
  await page.getByRole('button', { name: /Demo listener/ }).click();
  await page.getByTestId('balance').waitFor();
  expect(page.url()).toBe(`${app.url}/wallet?type=GRANT`);
  expect(complaints).toEqual([]);
});

test('a forgotten password is replaced by a mailed link, which signs out the other devices', async () => {
  const visitor = await app.listenAt('/account');
  const { page: other, complaints: others } = visitor;
  const { page, complaints } = await visit(app.browser, app.url, '/forgotten');
  await show(page, 'forgotten');
  await page.getByLabel('E-mail').fill(visitor.email);
  await page.getByRole('button', { name: 'Send the link' }).click();
  await page.getByText('If this address has an account').waitFor();
  await show(page, 'forgotten-done');
  const link = await mailedLink(visitor.email, '/reset');
  await page.goto(link);
  await show(page, 'reset');
  await page.getByLabel('New password', { exact: true }).fill('a moon over the hills');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText('Your new password is set').waitFor();
  await show(page, 'reset-done');
  await other.getByRole('heading', { name: 'Sign in' }).waitFor();
  await other.getByText('You were signed out').waitFor();
  await show(other, 'sign-in-ended');
  await page.goto(link);
  await page.getByLabel('New password', { exact: true }).fill('a moon over the hills');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByRole('heading', { name: 'This link no longer works' }).waitFor();
  await show(page, 'reset-spent');
  forgive(complaints, 400);
  await page.goto(`${app.url}/sign-in?next=%2Fwallet`);
  await signIn(page, visitor.email, 'a moon over the hills');
  await page.getByTestId('balance').waitFor();
  forgive(others, 401);
  expect([...complaints, ...others]).toEqual([]);
});

test('the account: name, password, devices, and a sign-out on another device', async () => {
  const visitor = await app.listenAt('/account');
  const { page, complaints } = visitor;
  const away = await visit(app.browser, app.url, '/sign-in?next=%2Fwallet');
  await signIn(away.page, visitor.email);
  await away.page.getByTestId('balance').waitFor();
  await page.reload();
  await page.getByText('· this device').waitFor();
  await show(page, 'account');
  await page.getByLabel('Name').fill('Maja');
  await page.getByRole('button', { name: 'Save the name' }).click();
  await page.getByText('Your name is saved.').waitFor();
  const lapse = page.getByLabel('points lapse within a week');
  const before = await lapse.isChecked();
  await lapse.click();
  await page.getByLabel('Language of mails').selectOption('pl');
  await until('both are saved', async () => {
    const query = '{ me { locale mailOn } }';
    const { me } = await app.ask<{ me: { locale: string; mailOn: string[] } }>(
      query,
      {},
      visitor.token,
    );
    return me.locale === 'pl' && me.mailOn.includes('POINTS_LAPSE') !== before;
  });
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByLabel('Current password').fill('not this one');
  await page.getByLabel('New password', { exact: true }).fill('a lamp, a page and a chair');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('This is not your current password.').waitFor();
  await show(page, 'account-password');
  forgive(complaints, 401);
  await page.getByRole('button', { name: 'Sign out Chrome on Linux' }).first().click();
  await away.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('Your password is changed.').waitFor();
  await page.reload();
  expect(await page.getByLabel('Name').inputValue()).toBe('Maja');
  forgive(away.complaints, 401);
  expect([...complaints, ...away.complaints]).toEqual([]);
});

test('the address is changed by a mailed link, and the data of the person is downloaded', async () => {
  const { page, complaints } = await app.listenAt('/account');
  const address = `${randomUUID()}@example.com`;
  await page.getByRole('button', { name: 'Change the address' }).click();
  await page.getByLabel('New e-mail address').fill(address);
  await page.getByLabel('Current password').fill(PASSWORD);
  await show(page, 'account-address');
  await page.getByRole('button', { name: 'Send the link' }).click();
  await page.getByText(`We have mailed a link to ${address}.`).waitFor();
  await page.goto(await mailedLink(address, '/verify'));
  await page.getByText('Your address is confirmed. Thank you!').waitFor();
  await page.getByRole('link', { name: 'Account' }).first().click();
  await page.getByText(address).first().waitFor();
  await page.getByRole('button', { name: 'Prepare the file' }).click();
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Prepare the file' }).click();
  const downloading = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download the file' }).click();
  const file = await (await downloading).path();
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ profile: { email: address } });
  await show(page, 'account-data');
  expect(complaints).toEqual([]);
});

test('an account is deleted, and nothing of it remains in the browser', async () => {
  const visitor = await app.listenAt('/account');
  const { page, complaints } = visitor;
  await page.getByRole('button', { name: 'Delete account' }).click();
  await page.getByRole('dialog').getByLabel('Password', { exact: true }).fill(PASSWORD);
  await show(page, 'account-delete');
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await page.waitForURL(`${app.url}/`);
  expect(await keptIn(page)).not.toContain(visitor.email);
  await page.goto(`${app.url}/sign-in`);
  await signIn(page, visitor.email);
  await page.getByText('The address or the password is wrong.').waitFor();
  forgive(complaints, 401);
  expect(complaints).toEqual([]);
});

/** Everything that the browser keeps for the app, besides the app itself. */
const keptIn = (page: Page): Promise<string> =>
  page.evaluate<string>(`(async () => {
    const kept = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie];
    for (const { name } of await indexedDB.databases()) {
      kept.push(name);
      const database = await new Promise((resolve, reject) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      for (const store of database.objectStoreNames) {
        const rows = database.transaction(store).objectStore(store).getAll();
        kept.push(await new Promise((resolve) => {
          rows.onsuccess = () => resolve(JSON.stringify(rows.result));
        }));
      }
      database.close();
    }
    for (const name of await caches.keys())
      for (const request of await (await caches.open(name)).keys()) kept.push(request.url);
    return kept.join(' ');
  })()`);

test('two people use one browser one after the other, and the second sees nothing of the first', async () => {
  const first = await app.listenAt('/wallet');
  const { page, complaints } = first;
  await app.grant(first.id, 4321);
  await until('it is shown', async () => (await balance(page)).startsWith('4,331'));
  await page.goto(`${app.url}/account`);
  await page.getByRole('region', { name: 'About you' }).getByText(first.email).waitFor();
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.waitForURL(`${app.url}/`);
  const left = await keptIn(page);
  expect(left).not.toContain(first.email);
  expect(left).not.toContain(first.id);
  expect(left).not.toContain('4331');
  const second = await app.newListener();
  await page.goto(`${app.url}/sign-in?next=%2Fwallet`);
  await signIn(page, second.email);
  await page.getByTestId('balance').waitFor();
  expect(await balance(page)).toMatch(/^10\s/);
  expect(await page.content()).not.toContain('4,331');
  await page.goto(`${app.url}/account`);
  await page.getByRole('region', { name: 'About you' }).getByText(second.email).waitFor();
  expect(await page.content()).not.toContain(first.email);
  expect(complaints).toEqual([]);
});

test('a sign-out that the server did not hear of is told again when the app is opened', async () => {
  const visitor = await app.listenAt('/account');
  const { page } = visitor;
  const devices = async (): Promise<number> =>
    (
      await app.ask<{ me: { sessions: unknown[] } }>(
        '{ me { sessions { id } } }',
        {},
        visitor.token,
      )
    ).me.sessions.length;
  expect(await devices()).toBe(2);
  let lost = 0;
  await page.route('**/graphql', (route) => {
    const isLogout = (route.request().postData() ?? '').includes('mutation Logout');
    if (!isLogout || lost > 0) return route.continue();
    lost += 1;
    return route.abort();
  });
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.waitForURL(`${app.url}/`);
  await until('the device is signed out', async () => (await devices()) === 1);
  expect(lost).toBe(1);
});

test('the wallet: a grant appears live, points lapse in order, and the history is filtered and exported', async () => {
  const visitor = await app.listenAt('/wallet');
  const { page, complaints } = visitor;
  await page.getByTestId('balance').waitFor();
  await page.getByText('This is the whole history.').waitFor();
  await show(page, 'wallet-new');
  await app.grant(visitor.id, 12, { source: 'EVENT', days: 4 });
  await until('the grant is shown', async () => (await balance(page)).startsWith('22'));
  await page.getByText(/^12 points lapse on /).waitFor();
  await page.getByRole('link', { name: /new notice/ }).click();
  await page.getByText('You received 12 points.').waitFor();
  await page.getByRole('link', { name: 'Notices', exact: true }).waitFor();
  await show(page, 'notices');
  await page.goto(`${app.url}/wallet`);
  await page.getByText(/^12 points lapse on /).waitFor();
  await page.getByText(/That is enough for \d+ stories/).waitFor();
  await app.grant(visitor.id, 40, { source: 'MONTHLY', days: 25 });
  await app.grant(visitor.id, 15, { source: 'REFERRAL', days: 200 });
  await app.grant(visitor.id, 1250, { source: 'ADD_ON', days: 600 });
  const { stories } = await app.ask<{ stories: { nodes: { id: string }[] } }>(
    '{ stories(first: 1) { nodes { id } } }',
    {},
  );
  const { voices } = await app.ask<{ voices: { id: string }[] }>(
    '{ voices(language: "en") { id } }',
    {},
  );
  await app.ask(
    'mutation ($input: SynthesizeAudioInput!) { synthesizeAudio(input: $input) { audio { id } } }',
    { input: { storyId: stories.nodes[0]?.id, voiceId: voices[0]?.id } },
    visitor.token,
  );
  const debit = page.locator('summary').filter({ hasText: "The Lamplighter's Cat" });
  await debit.click();
  await page
    .getByText(/of the points of/)
    .first()
    .waitFor();
  // Events bring the sums at once, and the lots are read a moment later.
  await until('the lots are read again', async () => {
    const cells = await page.locator('tbody tr td:last-child').allInnerTexts();
    const left = cells.map((text) => numberOf(text.split(' of ')[0] ?? ''));
    const sum = left.reduce((total, points) => total + points, 0);
    return cells.length === 5 && sum === numberOf(await balance(page));
  });
  await show(page, 'wallet');
  await page.getByLabel('Kind').selectOption({ label: 'Received' });
  await page.waitForURL(`${app.url}/wallet?type=GRANT`);
  await until('only grants are shown', async () => (await page.locator('summary').count()) === 5);
  await page.getByRole('combobox', { name: 'Source' }).selectOption({ label: 'Event' });
  await page.reload();
  await until('one grant is shown', async () => (await page.locator('summary').count()) === 1);
  await page.goto(`${app.url}/wallet`);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export as CSV' }).click();
  const csv = await readFile(await (await download).path(), 'utf8');
  expect(csv.split('\r\n')).toHaveLength(7);
  expect(csv).toContain("The Lamplighter's Cat");
  await page.emulateMedia({ media: 'print' });
  await page.screenshot({ path: `${ARTIFACTS}/app-wallet-print.png`, fullPage: true });
  expect(await page.getByRole('button', { name: 'Export as CSV' }).isVisible()).toBe(false);
  expect(complaints).toEqual([]);
});

test('in Polish, every page is Polish and fits', async () => {
  const listener = await app.newListener();
  await app.grant(listener.id, 12, { source: 'EVENT', days: 4 });
  const { page, complaints } = await visit(app.browser, app.url, '/sign-up', { locale: 'pl-PL' });
  await page.getByText('Na początek masz: 10 punktów.').waitFor();
  await show(page, 'sign-up-polish');
  await page.goto(`${app.url}/sign-in?next=%2Fwallet`);
  await page.getByRole('heading', { name: 'Logowanie' }).waitFor();
  await show(page, 'sign-in-polish');
  await page.getByLabel('E-mail').fill(listener.email);
  await page.getByLabel('Hasło', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Zaloguj się', exact: true }).click();
  await page.getByText(/^12 punktów wygaśnie/).waitFor();
  await page.getByText('To już cała historia.').waitFor();
  await show(page, 'wallet-polish');
  await page.goto(`${app.url}/account`);
  await page.getByText('to urządzenie').first().waitFor();
  await show(page, 'account-polish');
  expect(complaints).toEqual([]);
});

/** Uses up what a listener may read, as another device of theirs. Returns what ends it. */
function readAllTheTime(at: string, token: string): () => Promise<void> {
  const stopping = new AbortController();
  const reading = (async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await send(at, '{ me { credits { balance } } }', {}, { token });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return () => {
    stopping.abort();
    return reading;
  };
}

test('when points were read too often, the wallet says so in words and goes on by itself', async () => {
  const tight = await app.talebank.join({
    ROLE: 'api',
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_CREDIT_READS: '3/3',
  });
  const listener = await app.newListener();
  const { page, complaints } = await visit(app.browser, tight.url, '/sign-in?next=%2Fwallet');
  const stop = readAllTheTime(tight.url, listener.token);
  await signIn(page, listener.email);
  const said = page.getByText(/A moment, please: try again in \d+ seconds?\./).first();
  await until('it is said', async () => {
    await said.or(page.getByText('This is the whole history.')).first().waitFor();
    if (await said.isVisible()) return true;
    // The page was first when the limit began anew.
    await page.reload();
    return false;
  });
  await page.screenshot({ path: `${ARTIFACTS}/app-wallet-limited.png`, fullPage: true });
  await stop();
  await until(
    'the points are shown',
    async () => (await page.getByTestId('balance').count()) === 1,
  );
  forgive(complaints, 429);
  expect(complaints).toEqual([]);
});
