/**
 * Builds dashboards in Grafana's JSON model (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/)
 * from rows of panels. Each function returns a part of that model.
 */

/** The version of the JSON model of Grafana 10.4 and 11. Later releases migrate it when they load it. */
const SCHEMA_VERSION = 39;
const COLUMNS = 24;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

// ------------------------------------------------------------------ PromQL

/** The series of a metric in the chosen processes: `series('narrations_total', 'result="failed"')`. */
export const series = (metric, ...matchers) =>
  `talebank_${metric}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(',')}}`;

const by = (labels) => (labels.length === 0 ? '' : ` by (${labels.join(', ')})`);

/** Events a second of a counter, over all processes. */
export const rate = (selector, ...labels) =>
  `sum${by(labels)} (rate(${selector}[$__rate_interval]))`;

/** The number of events of a counter in the period that the dashboard shows. */
export const total = (selector, ...labels) => `sum${by(labels)} (increase(${selector}[$__range]))`;

/** The events of a counter in the last five minutes. */
export const recent = (selector, ...labels) => `sum${by(labels)} (increase(${selector}[5m]))`;

/** A gauge that every process reads from the database, so that all of them tell the same. */
export const shared = (selector, ...labels) => `max${by(labels)} (${selector})`;

/** A gauge of which each process has a part. */
export const summed = (selector, ...labels) => `sum${by(labels)} (${selector})`;

/** A gauge that each process has for itself. */
export const each = (selector, ...labels) => `max${by(['instance', ...labels])} (${selector})`;

/** A quantile of a histogram, by labels. */
export const quantile = (share, selector, ...labels) =>
  `histogram_quantile(${share}, sum${by(['le', ...labels])} (rate(${selector}[$__rate_interval])))`;

/** How long ago a time in seconds since 1970 was. */
export const age = (selector, ...labels) => `time() - max${by(labels)} (${selector})`;

/** The part of a whole, 0 to 1. Without events there is no share. */
export const share = (part, whole) => `${part} / (${whole} > 0)`;

// ------------------------------------------------------------------ panels

/** One line of a panel: its expression, and what the legend calls it. */
export const line = (expr, legend = '') => ({ expr, legend });

/** The 50th, 95th and 99th percentile of a histogram. */
export const percentiles = (selector) =>
  [0.5, 0.95, 0.99].map((part) => line(quantile(part, selector), `p${part * 100}`));

const targetsOf = (lines, isInstant) =>
  lines.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat: legend === '' ? '__auto' : legend,
    instant: isInstant,
    range: !isInstant,
  }));

/** Green below the first limit, then orange, then red. With `isFloor`, less is worse. */
function thresholdsOf(limits, isFloor) {
  const colours = ['green', 'orange', 'red'].slice(0, limits.length + 1);
  if (limits.length === 1) colours[1] = 'red';
  const ordered = isFloor ? colours.toReversed() : colours;
  const steps = ordered.map((color, index) => ({
    color,
    value: index === 0 ? null : limits[index - 1],
  }));
  return { mode: 'absolute', steps };
}

const GRAPH_STYLE = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  pointSize: 4,
  showPoints: 'never',
  spanNulls: false,
  axisPlacement: 'auto',
  scaleDistribution: { type: 'linear' },
};

/** A link as dashboards and panels have it. */
const link = (title, url, more = {}) => ({
  type: 'link',
  title,
  url,
  icon: 'doc',
  tooltip: '',
  tags: [],
  asDropdown: false,
  includeVars: false,
  keepTime: false,
  targetBlank: true,
  ...more,
});

const runbookLinks = (runbook) =>
  runbook === undefined ? [] : [link('Runbook', `\${runbooks}/${runbook}.md`)];

const base = (type, title, description, options) => ({
  type,
  title,
  description,
  datasource: DATASOURCE,
  links: runbookLinks(options.runbook),
});

/**
 * A graph over time.
 * @param description what it shows and what is bad, in plain words
 * @param lines what `line` returns
 * @param options `unit` (Grafana's id), `limits` (where it turns orange and red), `isFloor` (less is worse), `isStacked`,
 *   `max`, `width` (of 24 columns), `runbook` (a file of docs/runbooks without its ending)
 */
export function graph(title, description, lines, options = {}) {
  const { unit = 'short', limits = [], isFloor = false, isStacked = false, max } = options;
  return {
    ...base('timeseries', title, description, options),
    size: { w: options.width ?? 8, h: 8 },
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        color: { mode: 'palette-classic' },
        mappings: [],
        thresholds: thresholdsOf(limits, isFloor),
        custom: {
          ...GRAPH_STYLE,
          fillOpacity: isStacked ? 30 : 5,
          stacking: { group: 'A', mode: isStacked ? 'normal' : 'none' },
          thresholdsStyle: { mode: limits.length === 0 ? 'off' : 'line' },
        },
      },
      overrides: [],
    },
    options: {
      legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom' },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    targets: targetsOf(lines, false),
  };
}

/** One number, coloured by its limits. `options` as those of `graph`, and `none`: the text where there is no sample. */
export function number(title, description, expr, options = {}) {
  const { unit = 'short', limits = [], isFloor = false, none = 'none' } = options;
  return {
    ...base('stat', title, description, options),
    size: { w: options.width ?? 4, h: 4 },
    fieldConfig: {
      defaults: {
        unit,
        noValue: none,
        color: { mode: 'thresholds' },
        mappings: options.mappings ?? [],
        thresholds: thresholdsOf(limits, isFloor),
      },
      overrides: [],
    },
    options: {
      colorMode: 'value',
      graphMode: 'area',
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
    targets: targetsOf([line(expr)], options.isInstant ?? false),
  };
}

/** A table with a row for each series, largest value first. `hidesValue`: only the labels say something. */
export function table(title, description, lines, options = {}) {
  const { unit = 'short', limits = [] } = options;
  return {
    ...base('table', title, description, options),
    size: { w: options.width ?? 8, h: 8 },
    fieldConfig: {
      defaults: {
        unit,
        mappings: [],
        color: { mode: 'thresholds' },
        thresholds: thresholdsOf(limits, options.isFloor ?? false),
        custom: {
          align: 'auto',
          cellOptions: { type: limits.length === 0 ? 'auto' : 'color-text' },
          inspect: false,
        },
      },
      overrides: [],
    },
    options: {
      showHeader: true,
      cellHeight: 'sm',
      footer: { show: false, reducer: ['sum'], countRows: false, fields: '' },
      sortBy: [{ displayName: 'Value', desc: true }],
    },
    targets: targetsOf(lines, true).map((target) => ({ ...target, format: 'table' })),
    transformations: [
      {
        id: 'organize',
        options: {
          excludeByName: { Time: true, Value: options.hidesValue ?? false },
          indexByName: {},
          renameByName: {},
        },
      },
    ],
  };
}

/** A mapping of the values 0 and 1 to words. */
export const words = (zero, one) => [
  { type: 'value', options: { 0: { text: zero, index: 0 }, 1: { text: one, index: 1 } } },
];

// ------------------------------------------------------------------ dashboards

/** A heading with the panels below it. */
export const row = (title, ...panels) => ({ title, panels });

/** Places the panels of a row from left to right, and a new line where the next one does not fit. */
function placed(panels, top, nextId) {
  let [x, y, lineHeight] = [0, top, 0];
  const at = panels.map(({ size, ...panel }, index) => {
    if (x + size.w > COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
    const gridPos = { ...size, x, y };
    x += size.w;
    lineHeight = Math.max(lineHeight, size.h);
    return { id: nextId + index, ...panel, gridPos };
  });
  return { at, bottom: y + lineHeight };
}

function panelsOf(rows) {
  const panels = [];
  let y = 0;
  for (const { title, panels: below } of rows) {
    const gridPos = { h: 1, w: COLUMNS, x: 0, y };
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos,
      panels: [],
    });
    const { at, bottom } = placed(below, y + 1, panels.length + 1);
    panels.push(...at);
    y = bottom;
  }
  return panels;
}

const labelVariable = (name, label, description, query) => ({
  name,
  label,
  description,
  type: 'query',
  datasource: DATASOURCE,
  definition: query,
  query: { qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
  refresh: 2,
  sort: 1,
  regex: '',
  hide: 0,
  skipUrlSync: false,
  multi: true,
  includeAll: true,
  allValue: '.+',
  current: { selected: true, text: ['All'], value: ['$__all'] },
  options: [],
});

/** A value that the operator types in. */
export const textVariable = (name, label, description, value) => ({
  name,
  label,
  description,
  type: 'textbox',
  query: value,
  hide: 0,
  skipUrlSync: false,
  current: { selected: true, text: value, value },
  options: [{ selected: true, text: value, value }],
});

const VARIABLES = [
  {
    name: 'datasource',
    label: 'Data source',
    description: 'The Prometheus server that scrapes Talebank.',
    type: 'datasource',
    query: 'prometheus',
    refresh: 1,
    regex: '',
    hide: 0,
    skipUrlSync: false,
    multi: false,
    includeAll: false,
    current: { selected: false, text: 'Prometheus', value: 'talebank-prometheus' },
    options: [],
  },
  labelVariable(
    'job',
    'Job',
    'The scrape job of Prometheus.',
    'label_values(talebank_build_info, job)',
  ),
  labelVariable(
    'instance',
    'Process',
    'Processes of the API and workers.',
    'label_values(talebank_build_info{job=~"$job"}, instance)',
  ),
];

const RUNBOOKS = textVariable(
  'runbooks',
  'Runbooks at',
  'The address of docs/runbooks where you publish it. The links of the panels begin with it.',
  'https://stories.example.com/docs/runbooks',
);

/** A dashboard with the variables that every one has. */
export const dashboard = ({ uid, title, description, variables = [], rows }) => ({
  uid: `talebank-${uid}`,
  title: `Talebank: ${title}`,
  description,
  tags: ['talebank'],
  schemaVersion: SCHEMA_VERSION,
  version: 1,
  editable: false,
  graphTooltip: 1,
  timezone: 'utc',
  time: { from: 'now-6h', to: 'now' },
  timepicker: {},
  refresh: '1m',
  fiscalYearStartMonth: 0,
  liveNow: false,
  weekStart: '',
  annotations: { list: [] },
  links: [
    link('Talebank', '', {
      type: 'dashboards',
      tags: ['talebank'],
      asDropdown: true,
      includeVars: true,
      keepTime: true,
      targetBlank: false,
      icon: 'external link',
      tooltip: 'The other dashboards',
    }),
    link('Runbooks', '${runbooks}/README.md', {
      tooltip: 'What to do when something is wrong',
    }),
  ],
  templating: { list: [...VARIABLES, ...variables, RUNBOOKS] },
  panels: panelsOf(rows),
});
