import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, visit, type Visitor } from './app-browser.js';
import { send } from './client.js';
import { ADMIN, startTalebank, type Environment, type Talebank } from './talebank.js';

const PASSWORD = 'a lamp over a page';

export interface Listener {
  readonly id: string;
  readonly email: string;
  /** An access token of another device of the listener. */
  readonly token: string;
  readonly sessionId: string;
}

/** A server with the demo stories, a browser, and what tests of the app do beside the page. */
export interface AppFixture {
  readonly talebank: Talebank;
  readonly url: string;
  readonly browser: Browser;
  /** The access token of an administrator. */
  readonly administrator: string;
  /** Asks the server itself. @throws for an answer with errors */
  ask<Data>(query: string, variables: object, token?: string): Promise<Data>;
  newListener(): Promise<Listener>;
  /** A new listener, signed in by the page, at this address. */
  listenAt(
    path: string,
    options?: Parameters<typeof visit>[3],
  ): Promise<Visitor & { readonly listener: Listener }>;
  /** Grants points that lapse after a number of days, or never. */
  grant(userId: string, amount: number, options?: GrantOptions): Promise<void>;
  close(): Promise<void>;
}

interface GrantOptions {
  readonly source?: string;
  readonly days?: number | null;
}

export async function openAppFixture(environment: Environment = {}): Promise<AppFixture> {
  const [talebank, browser] = await Promise.all([
    startTalebank({ SEED: 'true', ...environment }),
    openBrowser(),
  ]);
  const { url } = talebank;
  const ask: AppFixture['ask'] = async <Data>(query: string, variables: object, token?: string) => {
    const { data, errors } = await send<Data>(url, query, variables, { token });
    if (data === null || errors.length > 0) throw new Error(JSON.stringify(errors));
    return data;
  };
  const { login } = await ask<{ login: { accessToken: string } }>(
    'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
    { input: { ...ADMIN } },
  );
  const administrator = login.accessToken;

  async function newListener(): Promise<Listener> {
    const email = `${randomUUID()}@example.com`;
    const { register } = await ask<{
      register: { accessToken: string; user: { id: string }; session: { id: string } };
    }>(
      'mutation ($input: RegisterInput!) { register(input: $input) { accessToken user { id } session { id } } }',
      { input: { email, password: PASSWORD, deviceName: 'The other one' } },
    );
    const { accessToken: token, user, session } = register;
    return { id: user.id, email, token, sessionId: session.id };
  }

  return {
    talebank,
    url,
    browser,
    administrator,
    ask,
    newListener,
    async listenAt(path, options = {}) {
      const listener = await newListener();
      const address = `/sign-in?next=${encodeURIComponent(path)}`;
      const visitor = await visit(browser, url, address, options);
      await signIn(visitor.page, listener.email);
      await visitor.page.waitForURL(url + path);
      return { ...visitor, listener };
    },
    async grant(userId, amount, { source = 'ADD_ON', days = null } = {}) {
      const expiresAt =
        days === null ? null : new Date(Date.now() + days * 86_400_000).toISOString();
      const reason = 'A present from the library';
      const input = { userId, amount, source, reason, expiresAt, idempotencyKey: randomUUID() };
      await ask(
        'mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { replayed } }',
        { input },
        administrator,
      );
    },
    async close() {
      await browser.close();
      await talebank.close();
    },
  };
}

/** Fills in the form of the sign-in page, as password managers do, and sends it. */
export async function signIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.locator('input[autocomplete=username]').fill(email);
  await page.locator('input[autocomplete=current-password]').fill(password);
  await page.keyboard.press('Enter');
}

/** Presses the first button of this name. */
export const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).first().click();

/** Waits until the frame of every page shows this balance. */
export const showsPoints = (page: Page, text: string): Promise<void> =>
  page.getByRole('link', { name: `Wallet, ${text}` }).waitFor();
