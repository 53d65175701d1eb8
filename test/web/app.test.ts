/** The parts of the app that decide without a browser: the leading tab, filters, covers and addresses. */
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { sameOrigin } from '../../web/app/src/api/addresses.js';
import { follow, type Platform } from '../../web/app/src/api/leader.js';
import { drawCover, hashOf } from '../../web/app/src/cover/drawing.js';
import {
  hasLength,
  isFiltered,
  matches,
  readFilters,
  writeFilters,
} from '../../web/app/src/library/filters.js';
import { nextOf, paths } from '../../web/app/src/paths.js';

/** A browser with several tabs: one lock, and one channel that a sender does not hear itself. */
function fakeBrowser(): { tab: () => Platform } {
  let held: Promise<void> = Promise.resolve();
  const listeners = new Map<object, Set<(message: unknown) => void>>();
  return {
    tab() {
      const own = {};
      listeners.set(own, new Set());
      return {
        lead(work, signal) {
          const turn = held.then(() => (signal.aborted ? undefined : work()));
          held = turn;
          return turn;
        },
        send(message) {
          for (const [tab, heard] of listeners)
            if (tab !== own) for (const listener of heard) listener(structuredClone(message));
        },
        receive(listener) {
          listeners.get(own)?.add(listener);
          return () => listeners.get(own)?.delete(listener);
        },
      };
    },
  };
}

interface Tab {
  readonly heard: string[];
  readonly leave: () => void;
}

function openTabs(count: number): { tabs: Tab[]; connections: ((event: string) => void)[] } {
  const browser = fakeBrowser();
  const connections: ((event: string) => void)[] = [];
  const tabs = Array.from({ length: count }, () => {
    const heard: string[] = [];
    const leave = follow<string>({
      platform: browser.tab(),
      pass: (event) => heard.push(event),
      nameOf: (event) => event.charAt(0),
      connect: (pass, signal) =>
        new Promise((resolve) => {
          connections.push(pass);
          signal.addEventListener('abort', () => {
            resolve();
          });
        }),
    });
    return { heard, leave };
  });
  return { tabs, connections };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

describe('the leading tab', () => {
  test('ten tabs have one connection, and all hear each event once', async () => {
    const { tabs, connections } = openTabs(10);
    await turns();
    expect(connections).toHaveLength(1);
    connections[0]?.('a1');
    connections[0]?.('b1');
    expect(tabs.map(({ heard }) => heard)).toEqual(tabs.map(() => ['a1', 'b1']));
    for (const { leave } of tabs) leave();
  });

  test('when it is closed, the next one connects, and the closed one hears nothing more', async () => {
    const { tabs, connections } = openTabs(3);
    await turns();
    tabs[0]?.leave();
    await turns();
    expect(connections).toHaveLength(2);
    connections[1]?.('a2');
    expect(tabs.map(({ heard }) => heard)).toEqual([[], ['a2'], ['a2']]);
    for (const { leave } of tabs) leave();
  });

  test('a tab that left before it led never connects', async () => {
    const { tabs, connections } = openTabs(3);
    await turns();
    tabs[1]?.leave();
    tabs[0]?.leave();
    await turns();
    expect(connections).toHaveLength(2);
    connections[1]?.('a3');
    expect(tabs[2]?.heard).toEqual(['a3']);
    tabs[2]?.leave();
  });

  test('a tab that comes later gets the latest event of each name', async () => {
    const browser = fakeBrowser();
    const open = (
      heard: string[],
      connect: (pass: (event: string) => void) => void,
    ): (() => void) =>
      follow<string>({
        platform: browser.tab(),
        pass: (event) => heard.push(event),
        nameOf: (event) => event.charAt(0),
        connect: (pass, signal) =>
          new Promise((resolve) => {
            connect(pass);
            signal.addEventListener('abort', () => {
              resolve();
            });
          }),
      });
    let send: (event: string) => void = () => undefined;
    const closeFirst = open([], (pass) => (send = pass));
    await turns();
    for (const event of ['a1', 'b1', 'a2']) send(event);
    const late: string[] = [];
    const closeLate = open(late, () => undefined);
    expect(late).toEqual(['b1', 'a2']);
    closeLate();
    closeFirst();
  });
});

describe('filters', () => {
  test('are in the address and come back from it', () => {
    const filters = {
      search: 'żabia & wólka',
      language: 'pl',
      length: 'middle',
      tag: 'na dobranoc',
      age: 4,
      order: 'TITLE',
      mine: true,
    } as const;
    expect(readFilters(writeFilters(filters))).toEqual(filters);
    expect(writeFilters(readFilters(''))).toBe('');
    expect(isFiltered(readFilters('unknown=1'))).toBe(false);
  });

  test('an address that a visitor has typed does no harm', () => {
    expect(readFilters(`length=huge&mine=1&search=${'x'.repeat(500)}`)).toEqual({
      search: 'x'.repeat(200),
      language: '',
      length: 'any',
      tag: '',
      age: null,
      order: 'LIBRARY',
      mine: false,
    });
  });

  test('lengths leave no gap and do not overlap', () => {
    for (const seconds of [0, 299, 300, 600, 601, 36_000]) {
      const fits = (['short', 'middle', 'long'] as const).filter((length) =>
        hasLength(seconds, length),
      );
      expect(fits).toHaveLength(1);
      expect(hasLength(seconds, 'any')).toBe(true);
    }
  });

  test('the search on the device ignores case and marks, as the one of the server does', () => {
    expect(matches(['Bocian na stacji Żabia Wólka', 'Talebank'], 'zabia WOLKA tale')).toBe(true);
    expect(matches(['Żabia'], 'zabia wolka')).toBe(false);
    expect(matches(['Anything'], ' ')).toBe(true);
  });
});

describe('covers', () => {
  test('are the same for the same story, and differ among stories', () => {
    expect(drawCover('the-night-bus')).toEqual(drawCover('the-night-bus'));
    const slugs = Array.from({ length: 200 }, (_, index) => `story-${String(index)}`);
    expect(new Set(slugs.map((slug) => JSON.stringify(drawCover(slug)))).size).toBeGreaterThan(190);
    expect(new Set(slugs.map(hashOf)).size).toBe(200);
  });

  test('have only paths that every browser reads', () => {
    for (const slug of Array.from({ length: 60 }, (_, index) => `s${String(index)}`))
      for (const { path, fill } of drawCover(slug).shapes) {
        expect(path).toMatch(/^M[-\d.MLHVQTlhvqtaZ ]+$/);
        expect(fill).toMatch(/^#[0-9a-f]{6}$/);
      }
  });
});

describe('addresses', () => {
  test('files are asked from the server that sent the page, and others stay as they are', () => {
    expect(sameOrigin('http://192.168.1.9:4000/files/ab.mp3?expires=1&signature=x')).toBe(
      '/files/ab.mp3?expires=1&signature=x',
    );
    expect(sameOrigin('https://cdn.example.com/cover.png')).toBe(
      'https://cdn.example.com/cover.png',
    );
    expect(sameOrigin('no address')).toBe('no address');
  });

  test('after signing in a listener stays in the app', () => {
    const back = (next: string): string => nextOf(new URL(paths.signIn(next), 'http://x').search);
    expect(back('/stories/a?mine=yes')).toBe('/stories/a?mine=yes');
    for (const next of [
      '//evil.example',
      'https://evil.example',
      '/\\evil.example',
      'javascript:1',
    ])
      expect(nextOf(`?next=${encodeURIComponent(next)}`)).toBe('/');
    expect(nextOf('')).toBe('/');
  });
});

describe('texts', () => {
  const FOLDER = 'web/app/messages';
  type Variant = readonly { readonly match: Record<string, string> }[];

  async function read(area: string, locale: string): Promise<Record<string, string | Variant>> {
    const text = await readFile(`${FOLDER}/${area}/${locale}.json`, 'utf8');
    return JSON.parse(text) as Record<string, string | Variant>;
  }
  const variantsOf = (message: string | Variant | undefined): string[] => {
    if (typeof message === 'string') return [message];
    return (message ?? []).flatMap(({ match }) => Object.values(match));
  };
  const inputsOf = (message: string | Variant | undefined): string[] =>
    [...new Set(variantsOf(message).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();

  test('exist in English and Polish, with the same inputs and all plurals', async () => {
    for (const area of await readdir(FOLDER)) {
      const [english, polish] = await Promise.all([read(area, 'en'), read(area, 'pl')]);
      expect([area, Object.keys(polish).sort()]).toEqual([area, Object.keys(english).sort()]);
      for (const [name, message] of Object.entries(english)) {
        expect([name, inputsOf(polish[name])]).toEqual([name, inputsOf(message)]);
        for (const text of [...variantsOf(message), ...variantsOf(polish[name])])
          expect(text).not.toBe('');
        if (typeof message === 'string') continue;
        const forms = Object.keys((polish[name] as Variant)[0]?.match ?? {});
        const plurals = new Intl.PluralRules('pl').resolvedOptions().pluralCategories;
        for (const plural of plurals)
          expect([name, forms]).toEqual([name, expect.arrayContaining([`plural=${plural}`])]);
      }
    }
  });
});
