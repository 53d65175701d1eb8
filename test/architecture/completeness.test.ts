import { execFile as execFileWithCallback } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type * as Errors from '../../src/domain/errors.js';
import type * as OperationNames from '../../src/http/counters/operation-names.js';
import type * as Events from '../../src/infra/logging/events.js';
import type * as Fields from '../../src/infra/logging/fields.js';
import type * as Variables from '../../src/variables.js';
import { compiled } from '../support/compiled.js';

const execFile = promisify(execFileWithCallback);

const textOf = (path: string): Promise<string> => readFile(path, 'utf8');

test('.env.example names every variable there is, and none that is not', async () => {
  const { variables } = await compiled<typeof Variables>('variables.js');
  const named = [...(await textOf('.env.example')).matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(
    ([, name]) => name,
  );
  expect(named.sort()).toEqual(Object.keys(variables.shape).sort());
});

test('the defaults in .env.example are those of the server', async () => {
  const { variables } = await compiled<typeof Variables>('variables.js');
  const set = [...(await textOf('.env.example')).matchAll(/^([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(
    ([, name = '', value = '']): [string, string] => [name, value],
  );
  expect(set.length).toBeGreaterThan(20);
  expect(variables.parse(Object.fromEntries(set))).toEqual(variables.parse({}));
});

test('the page for clients names every code with its status', async () => {
  const { ERROR_CODES } = await compiled<typeof Errors>('domain/errors.js');
  const rows = [...(await textOf('docs/api.md')).matchAll(/^\| `([A-Z_]+)` +\|.*?\| (\d+)/gm)];
  expect(Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]))).toEqual(
    ERROR_CODES,
  );
});

test('the page for operators lists every metric as it is declared', async () => {
  const script = execFile(process.execPath, ['scripts/list-metrics.mjs', '--check']);
  await expect(script).resolves.toMatchObject({ stderr: '' });
});

test('metrics tell the operations of the examples apart', async () => {
  const { operationLabel } = await compiled<typeof OperationNames>(
    'http/counters/operation-names.js',
  );
  const examples = await textOf('web/graphiql/src/examples.ts');
  const names = [...examples.matchAll(/^(?:query|mutation|subscription) (\w+)/gm)].map(
    ([, name = '']) => name,
  );
  expect(names.length).toBeGreaterThan(5);
  expect(names.map(operationLabel)).toEqual(names);
  expect([operationLabel('Invented'), operationLabel(''), operationLabel(null)]).toEqual([
    'other',
    'unnamed',
    'unnamed',
  ]);
});

test('the page about the log is what the list of events says', async () => {
  await execFile(process.execPath, ['scripts/log-events.mjs', '--check']);
});

test('every field of the log is explained, and belongs to an event', async () => {
  const { EVENTS } = await compiled<typeof Events>('infra/logging/events.js');
  const { FIELDS } = await compiled<typeof Fields>('infra/logging/fields.js');
  const used = Object.values(EVENTS).flatMap(({ fields }) =>
    fields.map((name) => name.replace('?', '')),
  );
  expect([...new Set(used)].sort()).toEqual(Object.keys(FIELDS).sort());
});

test('only one module loads the SDK of OpenTelemetry, and it is only imported when tracing is on', async () => {
  const paths = (await readdir('src', { recursive: true })).filter((path) => path.endsWith('.ts'));
  const texts = await Promise.all(
    paths.map(async (path): Promise<[string, string]> => [path, await textOf(`src/${path}`)]),
  );
  const loads = /^(?:import|export) (?!type)[^;]*'@opentelemetry\//m;
  expect(texts.filter(([, text]) => loads.test(text)).map(([path]) => path)).toEqual([
    'infra/tracing/sdk.ts',
  ]);
  const importers = texts.filter(([, text]) => /from '[^']*\/sdk\.js'/.test(text));
  expect(importers).toEqual([]);
  expect(
    texts.filter(([, text]) => text.includes("import('./sdk.js')")).map(([path]) => path),
  ).toEqual(['infra/tracing/tracing.ts']);
});

/** What may be shipped beside code under the MIT licence. */
const COMPATIBLE =
  /^(?:MIT|MIT-0|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|BlueOak-1\.0\.0|\((?:MIT|BSD-3-Clause|CC0-1\.0| OR | AND )+\))$/;
/** A process of its own, which can be left out. */
const APART = ['@echogarden/espeak-ng-emscripten'];

test('everything that is shipped has a licence that goes with ours', async () => {
  const { packages } = JSON.parse(await textOf('package-lock.json')) as {
    packages: Record<string, { license?: string; dev?: boolean; devOptional?: boolean }>;
  };
  const odd = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .filter(([, { license = '' }]) => !COMPATIBLE.test(license))
    .map(([path]) => path.replace('node_modules/', ''));
  expect(odd).toEqual(APART);
});
