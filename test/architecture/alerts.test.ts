import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import type * as MetricsModule from '../../src/infra/metrics.js';
import { compiled } from '../support/compiled.js';
import { readAlerts, type Alert } from '../support/alerts.js';

let alerts: readonly Alert[];
let known: ReadonlySet<string>;

beforeAll(async () => {
  alerts = readAlerts(await readFile('ops/prometheus/rules.yml', 'utf8'));
  const { createMetrics } = await compiled<typeof MetricsModule>('infra/metrics.js');
  const described = await createMetrics().describe();
  known = new Set(
    described.flatMap(({ name, type }) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
});

/** The metrics of Talebank that a text names. */
const namedIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/\btalebank_\w+/g)].map(([name]) => name)),
];

test('every metric that a rule, a test of one or a dashboard names exists', async () => {
  const files = (await readdir('ops', { recursive: true })).filter((path) =>
    /\.(?:ya?ml|json)$/.test(path),
  );
  expect(files.length).toBeGreaterThan(3);
  for (const path of files) {
    const missing = namedIn(await readFile(`ops/${path}`, 'utf8')).filter(
      (name) => !known.has(name),
    );
    expect([path, missing]).toEqual([path, []]);
  }
});

test('every alert has a severity, a sentence and a runbook of its own name', async () => {
  expect(alerts.length).toBeGreaterThan(20);
  const pages = await readdir('docs/runbooks');
  for (const { name, severity, summary, runbook } of alerts) {
    const page = `${name.replaceAll(/(?<=.)[A-Z]/g, '-$&').toLowerCase()}.md`;
    expect([name, ['page', 'ticket'].includes(severity)]).toEqual([name, true]);
    expect([name, summary]).toEqual([name, expect.stringMatching(/^[A-Z{].*\.$/s)]);
    expect([name, runbook]).toEqual([name, `docs/runbooks/${page}`]);
    expect([name, pages.includes(page)]).toEqual([name, true]);
  }
});

test('every alert fires in a test of the rules', async () => {
  const folder = 'ops/prometheus/tests';
  const tests = await Promise.all(
    (await readdir(folder)).map((file) => readFile(`${folder}/${file}`, 'utf8')),
  );
  const fires = alerts.filter(({ name }) => tests.join('').includes(`alertname="${name}"`));
  expect(fires).toEqual(alerts);
});
