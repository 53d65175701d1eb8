import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { shortenRules } from './alerts.js';
import { until } from './faults.js';
import { freePort } from './free-port.js';

export const HAS_PROMETHEUS = spawnSync('prometheus', ['--version']).status === 0;

export interface FiringAlert {
  readonly name: string;
  readonly summary: string;
}

export interface Prometheus {
  /** The alerts that fire now. */
  firing(): Promise<FiringAlert[]>;
  /** The values of an expression. */
  query(expression: string): Promise<number[]>;
  stop(): Promise<void>;
}

/** A gauge that had one value for an hour of the past. */
export interface PastGauge {
  readonly name: string;
  readonly value: number;
  readonly from: Date;
}

/** Prometheus sees a gauge for five minutes after each sample. */
const SAMPLE_SECONDS = 60;
const HISTORY_SAMPLES = 60;

function openMetricsOf({ name, value, from }: PastGauge): string {
  const start = Math.floor(from.getTime() / 1000);
  const samples = Array.from(
    { length: HISTORY_SAMPLES },
    (_, index) => `${name} ${String(value)} ${String(start + index * SAMPLE_SECONDS)}`,
  );
  return [`# TYPE ${name} gauge`, ...samples, '# EOF', ''].join('\n');
}

/**
 * Starts Prometheus, which scrapes these jobs each second and evaluates the alerts with shortened times.
 *
 * @param options.history what it has stored already
 */
export async function startPrometheus(options: {
  jobs: Readonly<Record<string, number>>;
  token: string;
  history: PastGauge;
}): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-prometheus-'));
  const history = join(folder, 'history.txt');
  await writeFile(history, openMetricsOf(options.history));
  execFileSync('promtool', [
    ...['tsdb', 'create-blocks-from', 'openmetrics', '--quiet'],
    ...[history, join(folder, 'data')],
  ]);
  const rules = await readFile('ops/prometheus/rules.yml', 'utf8');
  await writeFile(join(folder, 'rules.yml'), shortenRules(rules));
  await writeFile(join(folder, 'token'), options.token, { mode: 0o600 });
  await writeFile(
    join(folder, 'prometheus.yml'),
    stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yml'],
      scrape_configs: Object.entries(options.jobs).map(([job_name, port]) => ({
        job_name,
        authorization: { credentials_file: 'token' },
        static_configs: [{ targets: [`127.0.0.1:${String(port)}`] }],
      })),
    }),
  );
  const address = `127.0.0.1:${String(await freePort())}`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => void (said += chunk.toString()));
  const get = async (path: string): Promise<unknown> =>
    ((await (await fetch(`http://${address}/api/v1/${path}`)).json()) as { data: unknown }).data;
  await until('Prometheus answers', async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus has ended: ${said}`);
    return fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return {
    firing: async () => {
      const { alerts } = (await get('alerts')) as {
        alerts: {
          state: string;
          labels: { alertname: string };
          annotations: { summary: string };
        }[];
      };
      return alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels, annotations }) => ({
          name: labels.alertname,
          summary: annotations.summary,
        }));
    },
    query: async (expression) => {
      const { result } = (await get(`query?query=${encodeURIComponent(expression)}`)) as {
        result: { value: [number, string] }[];
      };
      return result.map(({ value }) => Number(value[1]));
    },
    stop: async () => {
      if (child.exitCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
