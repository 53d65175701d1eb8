import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { DASHBOARDS, differences, textOf, type Dashboard } from '../../ops/grafana/dashboards.mjs';
import type * as MetricsModule from '../../src/infra/metrics.js';
import { compiled } from '../support/compiled.js';
import { readRunbooks } from '../support/runbooks.js';

const TYPES = ['row', 'timeseries', 'stat', 'table'];
/** Variables that Grafana itself has. */
const BUILT_IN = ['__rate_interval', '__range'];
const COLUMNS = 24;

const all = Object.entries(DASHBOARDS);
const expressionsOf = ({ panels }: Dashboard): string[] =>
  panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

test('the files are what their descriptions say', async () => {
  expect(await differences()).toEqual([]);
});

/** What is wrong with the JSON model of a dashboard, and with how it tells. */
function faults(dashboard: Dashboard): string[] {
  const found: string[] = [];
  const variables = dashboard.templating.list.map(({ name }) => name);
  for (const name of ['datasource', 'job', 'instance'])
    if (!variables.includes(name)) found.push(`it has no variable ${name}`);
  if (!/^[a-z-]{1,40}$/.test(dashboard.uid)) found.push('its uid is not one');
  if (!(dashboard.schemaVersion >= 39)) found.push('its schemaVersion is old');
  const ids = dashboard.panels.map(({ id }) => id);
  if (new Set(ids).size < ids.length) found.push('two panels have one id');
  const cells = new Set<string>();
  for (const panel of dashboard.panels) {
    const { title, type, gridPos } = panel;
    const say = (what: string): number => found.push(`${title}: ${what}`);
    if (!TYPES.includes(type)) say(`the type ${type}`);
    if (gridPos.x + gridPos.w > COLUMNS) say('it is too wide');
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        const cell = `${String(x)} ${String(y)}`;
        if (cells.has(cell)) say('it lies on another panel');
        cells.add(cell);
      }
    if (type === 'row') continue;
    if (!/^[A-Z0-9].{15,}\.$/.test(panel.description ?? '')) say('it does not say what it shows');
    if (panel.datasource?.uid !== '${datasource}') say('its data source is fixed');
    if ((panel.fieldConfig?.defaults.unit ?? '') === '') say('it has no unit');
    const steps = panel.fieldConfig?.defaults.thresholds.steps.map(({ value }) => value) ?? [];
    if (steps[0] !== null || steps.slice(1).some((value, at) => Number(value) <= Number(steps[at])))
      say('its thresholds do not rise');
    const refIds = (panel.targets ?? []).map(({ refId }) => refId);
    if (refIds.length === 0 || new Set(refIds).size < refIds.length) say('its targets');
    for (const { expr } of panel.targets ?? []) {
      const used = [...expr.matchAll(/\$([a-z_0-9]+)/g)].map(([, name = '']) => name);
      for (const name of used)
        if (![...variables, ...BUILT_IN].includes(name)) say(`there is no variable ${name}`);
      for (const [, matchers = ''] of expr.matchAll(/talebank_\w+(\{[^}]*\})?/g))
        if (!matchers.includes('job=~"$job",instance=~"$instance"')) say('it shows all processes');
    }
    for (const { title: to, url } of panel.links ?? [])
      if (to === 'Runbook' && !existsSync(url.replace('${runbooks}', 'docs/runbooks')))
        say(`there is no page ${url}`);
  }
  return found;
}

test.each(all)('%s is a dashboard of Grafana that explains itself', (_name, dashboard) => {
  expect(faults(dashboard)).toEqual([]);
  expect(JSON.parse(textOf(dashboard))).toEqual(dashboard);
});

test('no two dashboards have one uid', () => {
  expect(new Set(all.map(([, { uid }]) => uid)).size).toBe(all.length);
});

/** The names of samples that the server exposes, each with the names of its labels. */
async function samples(): Promise<Map<string, Set<string>>> {
  const { createMetrics } = await compiled<typeof MetricsModule>('infra/metrics.js');
  const metrics = createMetrics();
  const { text } = await metrics.expose();
  const names = new Map<string, Set<string>>();
  const labelsOf = new Map<string, readonly string[]>();
  for (const metric of Object.values(metrics) as { name?: string; labelNames?: string[] }[])
    if (metric.labelNames !== undefined) labelsOf.set(metric.name ?? '', metric.labelNames);
  for (const [, name = '', type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const labels = labelsOf.get(name) ?? [];
    const endings = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const ending of endings)
      names.set(name + ending, new Set([...labels, 'job', 'instance', 'le']));
  }
  return names;
}

/** Metrics and labels of an expression that the server does not have. */
function unknown(expr: string, known: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found: string[] = [];
  const labels = new Set(['job', 'instance']);
  for (const [, name = '', matchers = ''] of expr.matchAll(/\b(talebank_\w+)(?:\{([^}]*)\})?/g)) {
    const own = known.get(name);
    if (own === undefined) found.push(name);
    for (const label of own ?? []) labels.add(label);
    for (const matcher of matchers.split(',').filter((text) => text !== '')) {
      const label = matcher.split(/[=!]/)[0]?.trim() ?? '';
      if (own?.has(label) === false) found.push(`${name}{${label}}`);
    }
  }
  for (const [, list = ''] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
    for (const label of list.split(/, */).filter((text) => text !== ''))
      if (!labels.has(label)) found.push(`by ${label}`);
  return found;
}

describe('every metric and every label is one that the server exposes', () => {
  test.each(all)('of %s', async (_name, dashboard) => {
    const known = await samples();
    expect(expressionsOf(dashboard).flatMap((expr) => unknown(expr, known))).toEqual([]);
  });

  test('of the runbooks', async () => {
    const known = await samples();
    const expressions = readRunbooks().flatMap(({ blocks }) =>
      blocks.filter(({ language }) => language === 'promql').map(({ text }) => text),
    );
    expect(expressions.length).toBeGreaterThan(10);
    expect(expressions.flatMap((expr) => unknown(expr, known))).toEqual([]);
  });

  test('one that is misspelt is found', () => {
    const known = new Map([['talebank_a_total', new Set(['job', 'instance', 'result'])]]);
    expect(unknown('sum by (result) (rate(talebank_a_total{job="x"}[5m]))', known)).toEqual([]);
    expect(unknown('rate(talebank_b_total[5m])', known)).toEqual(['talebank_b_total']);
    expect(unknown('talebank_a_total{source="x"}', known)).toEqual(['talebank_a_total{source}']);
    expect(unknown('sum by (source) (talebank_a_total)', known)).toEqual(['by source']);
  });
});
