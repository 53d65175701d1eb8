import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Memory {
  /** The memory of the process itself. */
  readonly ownMb: number;
  /** The memory of the process and its descendants. */
  readonly rssMb: number;
  /** The same, with shared pages counted once (Pss). */
  readonly pssMb: number;
  /** Without Postgres, whose shared buffers fill with whatever is read and written. */
  readonly pssOfNodeMb: number;
}

const NOTHING: Memory = { ownMb: 0, rssMb: 0, pssMb: 0, pssOfNodeMb: 0 };

/** Resident memory; zero where there is no /proc. */
export async function memoryOf(pid: number): Promise<Memory> {
  const at = `/proc/${String(pid)}`;
  const read = (file: string): Promise<string> => readFile(`${at}/${file}`, 'utf8').catch(() => '');
  const [below, rollup, name] = await Promise.all([
    read(`task/${String(pid)}/children`),
    read('smaps_rollup'),
    read('comm'),
  ]);
  const rssMb = Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  const pssMb = Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  const children = below
    .split(' ')
    .map(Number)
    .filter((child) => child > 0);
  const sums = await Promise.all(children.map(memoryOf));
  return {
    ownMb: rssMb,
    rssMb: rssMb + sum(sums, 'rssMb'),
    pssMb: pssMb + sum(sums, 'pssMb'),
    pssOfNodeMb: (name.startsWith('postgres') ? 0 : pssMb) + sum(sums, 'pssOfNodeMb'),
  };
}

const sum = (all: readonly Memory[], key: keyof Memory): number =>
  all.reduce((total, one) => total + one[key], 0);

const LOOK_EVERY_MS = 100;

/** What `work` gives, and the most memory that was seen meanwhile. */
export async function withPeak<Result>(
  pid: number,
  work: () => Promise<Result>,
): Promise<{ result: Result; peak: Memory }> {
  const state = { over: false, peak: NOTHING };
  const look = async (): Promise<void> => {
    while (!state.over) {
      const [seen, now] = [state.peak, await memoryOf(pid)];
      state.peak = {
        ownMb: Math.max(seen.ownMb, now.ownMb),
        rssMb: Math.max(seen.rssMb, now.rssMb),
        pssMb: Math.max(seen.pssMb, now.pssMb),
        pssOfNodeMb: Math.max(seen.pssOfNodeMb, now.pssOfNodeMb),
      };
      await sleep(LOOK_EVERY_MS);
    }
  };
  const looking = look();
  const result = await work().finally(() => {
    state.over = true;
  });
  await looking;
  return { result, peak: state.peak };
}

export interface Answers {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

export function describe(latencies: readonly number[]): Answers {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), longestMs: at(1) };
}

/** How long each of these addresses takes to answer, asked in turn until `until`. */
export async function answersUntil(
  urls: readonly string[],
  until: Promise<unknown>,
): Promise<Answers[]> {
  const state = { over: false };
  const end = (): void => {
    state.over = true;
  };
  until.then(end, end);
  const latencies = urls.map((): number[] => []);
  while (!state.over) {
    for (const [index, url] of urls.entries()) {
      const startedAt = performance.now();
      await (await fetch(url)).text();
      latencies[index]?.push(performance.now() - startedAt);
      await sleep(1);
    }
  }
  return latencies.map(describe);
}

const BARE = `require('node:http').createServer((_, answer) => answer.end('alive')).listen(0, '127.0.0.1',
  function () { console.log(this.address().port) })`;

/** A process that only answers: what it takes at its longest is the machine's, not ours. */
export async function startBareServer(): Promise<{ url: string; stop(): void }> {
  const child = spawn(process.execPath, ['-e', BARE], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: `http://127.0.0.1:${port.toString().trim()}/`,
    stop: () => void child.kill(),
  };
}
