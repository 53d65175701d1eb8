import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { expect } from '@jest/globals';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { PATIENCE_MS } from './faults.js';

export const ARTIFACTS = 'test/browser/artifacts';

export async function openBrowser(): Promise<Browser> {
  await mkdir(ARTIFACTS, { recursive: true });
  const found = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
  return chromium.launch({
    ...(found === undefined ? {} : { executablePath: found }),
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** The browser of one person, with the errors that its pages reported. */
export interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors of the console, requests to other hosts, and reports of the content security policy. */
  readonly complaints: string[];
}

interface VisitOptions {
  readonly locale?: string;
  readonly serviceWorkers?: 'allow' | 'block';
  /** Runs in each page before the app, so that it can break the features that the app needs. */
  readonly script?: string;
}

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };

/** A browser of its own, in English unless told otherwise. */
export async function visit(
  browser: Browser,
  url: string,
  path: string,
  options: VisitOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: DESKTOP,
    locale: options.locale ?? 'en-GB',
    timezoneId: 'Europe/Warsaw',
    reducedMotion: 'reduce',
    acceptDownloads: true,
    serviceWorkers: options.serviceWorkers ?? 'allow',
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  const watch = (page: Page): void => {
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol.startsWith('http') && origin !== url) complaints.push(request.url());
    });
  };
  context.on('page', watch);
  await context.addInitScript(`addEventListener('securitypolicyviolation', (event) => {
    console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI);
  })`);
  if (options.script !== undefined) await context.addInitScript(options.script);
  const page = await context.newPage();
  await page.goto(`${url}${path}`);
  return { context, page, complaints };
}

let axe: string | undefined;

/** What axe finds on a page, in all its rules for WCAG and in its best practices. */
async function findingsOf(page: Page): Promise<string[]> {
  axe ??= await readFile('node_modules/axe-core/axe.min.js', 'utf8');
  await page.evaluate(axe);
  // The code runs in the page, whose types the tests do not have.
  return page.evaluate<string[]>(`axe.run(document, { resultTypes: ['violations'] }).then(
    ({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) =>
      node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')).join(' | ')))`);
}

/** Whether something is wider than the window, so that a person must scroll sideways. */
const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');

/** Shows a state on a phone and on a desktop, light and dark, and expects nothing wrong in any of them. */
export async function show(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [device, size] of [
      ['phone', PHONE],
      ['desktop', DESKTOP],
    ] as const) {
      await page.setViewportSize(size);
      await page.evaluate('scrollTo(0, 0)');
      await page.evaluate('document.fonts.ready');
      expect([name, device, await isTooWide(page)]).toEqual([name, device, false]);
      await takePicture(page, `${name}-${device}-${colorScheme}`, size);
    }
    expect([name, colorScheme, await findingsOf(page)]).toEqual([name, colorScheme, []]);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  expect([name, '320 px', await isTooWide(page)]).toEqual([name, '320 px', false]);
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: 'light' });
}

/** A window of 1,280 by 1,024 pixels at a zoom of 400 %. */
const ZOOMED = { width: 320, height: 256 };

/** Shows a page with large letters or forced colours, and expects everything to fit. */
export async function showLarge(page: Page, name: string): Promise<void> {
  await page.setViewportSize(ZOOMED);
  expect([name, '400 %', await isTooWide(page)]).toEqual([name, '400 %', false]);
  expect(await coveredPart(page)).toBeLessThan(0.6);
  await page.screenshot({ path: `${ARTIFACTS}/app-${name}-zoomed.png` });
  await page.setViewportSize(DESKTOP);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } });
  expect([name, '200 %', await isTooWide(page)]).toEqual([name, '200 %', false]);
  await page.screenshot({ path: `${ARTIFACTS}/app-${name}-large-text.png` });
  await devtools.send('Page.setFontSizes', { fontSizes: { standard: 16, fixed: 13 } });
  await devtools.detach();
  await page.emulateMedia({ forcedColors: 'active' });
  expect([name, 'forced colours', await findingsOf(page)]).toEqual([name, 'forced colours', []]);
  await page.screenshot({ path: `${ARTIFACTS}/app-${name}-forced-colours.png` });
  await page.emulateMedia({ forcedColors: 'none' });
}

/** The part of the window's height that bars cover when the page is scrolled. */
const coveredPart = (page: Page): Promise<number> =>
  page.evaluate<number>(`[...document.querySelectorAll('body *')].filter((element) => {
    const { position, display } = getComputedStyle(element);
    return ['fixed', 'sticky'].includes(position) && display !== 'none' && element.offsetHeight > 0;
  }).reduce((sum, element) => sum + element.offsetHeight, 0) / innerHeight`);

/** The tallest picture of a page. */
const TALLEST = 3000;

/** The whole page, in a window as tall as it is: so bars stand at the edge, and lists draw all of their rows. */
async function takePicture(page: Page, name: string, size: typeof PHONE): Promise<void> {
  const height = await page.evaluate<number>('document.documentElement.scrollHeight');
  if (height > size.height)
    await page.setViewportSize({ width: size.width, height: Math.min(height, TALLEST) });
  await page.evaluate(`new Promise((done) => requestAnimationFrame(() =>
    requestAnimationFrame(() => setTimeout(done, 50))))`);
  await page.screenshot({ path: `${ARTIFACTS}/app-${name}.png` });
}

/** Takes away the complaints that a step must cause: the browser itself reports each status of a refusal. */
export function forgive(complaints: string[], status: number): void {
  const kept = complaints.filter((text) => !text.includes(`status of ${String(status)}`));
  complaints.splice(0, complaints.length, ...kept);
}
