import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type * as AppModule from '../src/open-app.ts';
import type * as ConfigModule from '../src/config.ts';
import type * as Migrations from '../src/infra/migrations.ts';
import type * as Embedded from '../src/infra/postgres/embedded.ts';
import type * as Places from '../src/places.ts';

/** A module of the compiled server. */
export const compiled = <Module>(path: string): Promise<Module> =>
  import(new URL(`../dist/${path}`, import.meta.url).href) as Promise<Module>;

export interface Bench {
  readonly app: AppModule.OpenApp;
  readonly databaseUrl: string;
  close(): Promise<void>;
}

/** The services on an embedded Postgres as it is shipped: durable, and with its usual settings. */
export async function openBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
  const log = pino({ level: 'error' });
  const { startEmbeddedPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const postgres = await startEmbeddedPostgres({
    folder,
    log,
    settings: { max_connections: '160' },
  });
  const { applyMigrations } = await compiled<typeof Migrations>('infra/migrations.js');
  const { MIGRATIONS } = await compiled<typeof Places>('places.js');
  await applyMigrations(postgres.url, MIGRATIONS);
  const { readConfig } = await compiled<typeof ConfigModule>('config.js');
  const config = readConfig({
    DATA_DIR: folder,
    ROLE: 'api',
    LOG_LEVEL: 'error',
    RATE_LIMIT_FACTOR: '1000000',
  });
  const { openApp } = await compiled<typeof AppModule>('open-app.js');
  const app = await openApp({
    config,
    log,
    databaseUrl: postgres.url,
    publicUrl: () => 'http://bench',
  });
  return {
    app,
    databaseUrl: postgres.url,
    close: async () => {
      await app.close(1000);
      await postgres.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Speed {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Keeps so many pieces of work in flight for a while. Rates in pieces a second. */
export async function measure(
  inFlight: number,
  durationMs: number,
  work: (number: number) => Promise<unknown>,
): Promise<Speed> {
  let next = 0;
  for (; next < inFlight; next += 1) await work(next);
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + durationMs;
  const runner = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      const begunAt = performance.now();
      await work((next += 1));
      latencies.push(performance.now() - begunAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, runner));
  const seconds = (performance.now() - startedAt) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => latencies[Math.floor((latencies.length - 1) * part)] ?? 0;
  return { perSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

const shown = (value: number): string => value.toFixed(value < 10 ? 2 : 0);

export const describeSpeed = ({ perSecond, p50Ms, p99Ms }: Speed): string =>
  `${shown(perSecond).padStart(6)}/s  p50 ${shown(p50Ms).padStart(5)} ms  p99 ${shown(p99Ms).padStart(5)} ms`;

export const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
