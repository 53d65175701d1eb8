import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  assertions,
  busyDoors,
  cycles,
  environmentReaders,
  functionsOver,
  undocumented,
  wrongArrows,
  type Source,
} from '../support/architecture.js';

let sources: Source[];

beforeAll(async () => {
  const paths = await readdir('src', { recursive: true });
  const ours = paths.filter((path) => path.endsWith('.ts') && !path.startsWith('generated'));
  sources = await Promise.all(
    ours.map(async (path) => ({
      path: path.replaceAll('\\', '/'),
      text: await readFile(`src/${path}`, 'utf8'),
    })),
  );
});

test('arrows between the layers point downwards only', () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(wrongArrows(sources)).toEqual([]);
});

test('no files import each other in a circle', () => {
  expect(cycles(sources)).toEqual([]);
});

test('doors parse, call one service and return', () => {
  expect(busyDoors(sources)).toEqual([]);
});

test('only main.ts, the commands and what prepares the environment for them read it', () => {
  expect(environmentReaders(sources)).toEqual([]);
});

test('no folder holds more than fifteen files, and no file more than 250 lines', () => {
  const folders = new Map<string, number>();
  for (const { path, text } of sources) {
    const folder = path.split('/').slice(0, -1).join('/');
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
    expect([path, text.split('\n').length > 251]).toEqual([path, false]);
  }
  expect([...folders].filter(([, count]) => count > 15)).toEqual([]);
});

test('no function has more than sixty lines', () => {
  expect(functionsOver(60, sources)).toEqual([]);
});

/** Lower it when a cast goes. Data from outside is parsed or checked, and typed tables are made by `domain/objects.ts`. */
const ASSERTIONS_MAX = 29;

test('types are asserted in few places', () => {
  const found = assertions(sources);
  expect(found.length > ASSERTIONS_MAX ? found : []).toEqual([]);
});

test('every exported function has a docstring', () => {
  expect(undocumented(sources)).toEqual([]);
});

describe('the checks see what they are for', () => {
  test('a long function of each kind', () => {
    const body = `{\n${'f();\n'.repeat(2)}}`;
    const text = `function a() ${body}\nconst b = () => ${body};\nclass C { d() ${body} }\nconst e = { f() ${body} };`;
    const source = { path: 'domain/a.ts', text };
    expect(functionsOver(3, [source])).toEqual(
      ['a', 'b', 'd', 'f'].map((name) => `domain/a.ts ${name} 4`),
    );
    expect(functionsOver(4, [source])).toEqual([]);
  });

  test.each(['a as B', 'a as unknown', '<B>a', 'a!'])('an assertion: %s', (text) => {
    expect(assertions([{ path: 'domain/a.ts', text: `f(${text});` }])).toEqual([
      `domain/a.ts ${text}`,
    ]);
  });

  test.each(["['a'] as const", 'a satisfies B', '!a', "import { a as b } from './a.js'"])(
    'no assertion: %s',
    (text) => {
      expect(assertions([{ path: 'domain/a.ts', text: `${text};` }])).toEqual([]);
    },
  );

  test.each([
    ['no comment', ''],
    ['a comment of another kind', '// Adds.\n'],
    ['an empty docstring', '/** */\n'],
    ['an empty docstring below one about the file', '/** Sums. */\n\n/** */\n'],
    ['a docstring that is about the file', '/** Sums. */\n\n'],
    ['a docstring before a comment about the file', '/** Sums. */\n\n// More.\n'],
  ])('an exported function with %s', (_what, comment) => {
    const functions = [
      'export function a() {}',
      'export async function* a() {}',
      'export const a = () => 1;',
      'export const a = function () {};',
    ];
    for (const text of functions) {
      expect(undocumented([{ path: 'domain/a.ts', text: `f();\n${comment}${text}` }])).toEqual([
        'domain/a.ts a',
      ]);
    }
  });

  test.each([
    '/** Adds. */\nexport function a() {}',
    '/**\n * Adds.\n */\nexport const a = () => 1;',
    '/** /healthz: alive. */\n// eslint-disable-next-line\nexport function a() {}',
    'function a() {}',
    'export const A = 1;',
    'export interface A {}',
  ])('no exported function without a docstring: %s', (text) => {
    expect(undocumented([{ path: 'domain/a.ts', text }])).toEqual([]);
  });

  test.each([
    ['domain/points.ts', "import { createDb } from '../infra/db.js';"],
    ['domain/points.ts', "import type { App } from '../services/app.js';"],
    ['domain/points.ts', "type Db = import('../infra/db.js').Db;"],
    ['infra/db.ts', "const { createLoaders } = await import('../resolvers/loaders.js');"],
    ['infra/db.ts', "import { grant } from '../services/ledger/grants.js';"],
    ['services/keys.ts', "import { openApp } from '../open-app.js';"],
    ['services/keys.ts', "import type { OpenApp } from '../open-app.js';"],
    ['services/keys.ts', "import { createShield } from '../resolvers/permissions.js';"],
    ['services/keys.ts', "export { main } from '../main.js';"],
    ['resolvers/a.resolver.ts', "import { transact } from '../infra/db.js';"],
    ['resolvers/a.resolver.ts', "import { PrismaClient } from '../generated/prisma/client.js';"],
    ['jobs/index.ts', "import { createServer } from '../http/server.js';"],
  ])('a wrong arrow: %s with %s', (path, text) => {
    expect(wrongArrows([{ path, text }]).length).toBe(1);
  });

  test.each([
    ['services/keys.ts', "import type { App } from './app.js';"],
    ['services/keys.ts', "import type { Config } from '../config.js';"],
    ['services/a/b.ts', "import { transact } from '../../infra/db.js';"],
    ['main.ts', "import { start } from './start.js';"],
    ['domain/points.ts', "import { z } from 'zod';"],
  ])('a right arrow: %s with %s', (path, text) => {
    expect(wrongArrows([{ path, text }])).toEqual([]);
  });

  test.each([
    ['of values', "import { b } from './b.js';"],
    ['of types', "import type { B } from './b.js';"],
    ['of a type in place', "export const b: import('./b.js').B = 1;"],
    ['that is closed while the process runs', "const { b } = await import('./b.js');"],
    ['of what is passed on', "export type { B } from './b.js';"],
  ])('a circle %s', (_what, text) => {
    const back = { path: 'domain/b.ts', text: "import type { A } from './a.js';" };
    expect(cycles([{ path: 'domain/a.ts', text }, back])).toEqual([
      'domain/a → domain/b → domain/a',
    ]);
  });

  test('a busy resolver', () => {
    const text = 'class A { one() { return x ? 1 : 2; } two() {\n' + 'f();\n'.repeat(9) + '} }';
    expect(busyDoors([{ path: 'resolvers/a.resolver.ts', text }])).toEqual([
      'resolvers/a.resolver.ts one branches',
      'resolvers/a.resolver.ts two has 9 lines',
    ]);
    expect(busyDoors([{ path: 'http/a.ts', text: 'await app.db.user.findMany()' }]).length).toBe(1);
  });

  test('a reader of the environment', () => {
    expect(environmentReaders([{ path: 'infra/a.ts', text: 'process.env.PORT' }])).toEqual([
      'infra/a.ts',
    ]);
  });
});
