/**
 * `npm run bench`: every figure is a ratio against something in the same run, because machines are noisy.
 * `npm run bench -- narrations commands authentication maintenance verify anchors lots search reads server speech queued live attacks traces metrics processes`
 * runs these parts: the last eight against processes of the server, the others against its services;
 * `--size 1000000` lets the tasks go over a million users, `--history 300000` sets the length of the history
 * that is read. With BENCH_DATABASE_URL=postgres://… the services are measured on
 * that server, in a database that is made for the run and dropped.
 */
import { benchAnchors } from './anchors.ts';
import { benchAttacks } from './attacks.ts';
import { benchAuthentication } from './authentication.ts';
import { benchCommands } from './commands.ts';
import { benchMaintenance, benchVerify } from './maintenance.ts';
import { benchMetrics } from './metrics.ts';
import { benchNarrations } from './narrations.ts';
import { benchLive } from './live.ts';
import { benchLots } from './lots.ts';
import { benchProcesses } from './processes.ts';
import { benchQueued } from './queued.ts';
import { benchReads } from './reads.ts';
import { benchSearch } from './search.ts';
import { benchServer } from './server.ts';
import { benchSpeech } from './speech.ts';
import { benchTraces } from './traces.ts';
import { openBench, type Bench } from './support.ts';

const PARTS: readonly [name: string, run: (bench: Bench) => Promise<void>][] = [
  ['narrations', benchNarrations],
  ['commands', benchCommands],
  ['authentication', benchAuthentication],
  ['maintenance', benchMaintenance],
  ['verify', benchVerify],
  ['anchors', benchAnchors],
  ['lots', benchLots],
  ['search', benchSearch],
  // Last, for its history was not made by the ledger and does not verify.
  ['reads', benchReads],
];
/** Parts that start the server themselves. */
const OF_PROCESSES: readonly [name: string, run: () => Promise<void>][] = [
  ['server', benchServer],
  ['speech', benchSpeech],
  ['queued', benchQueued],
  ['live', benchLive],
  ['attacks', benchAttacks],
  ['traces', benchTraces],
  ['metrics', benchMetrics],
  ['processes', benchProcesses],
];
const wanted = process.argv.slice(2).filter((argument) => /^[a-z]+$/.test(argument));
const includes = (part: string): boolean => wanted.length === 0 || wanted.includes(part);

const parts = PARTS.filter(([name]) => includes(name));
if (parts.length > 0) {
  const bench = await openBench();
  try {
    for (const [, run] of parts) await run(bench);
  } finally {
    await bench.close();
  }
}
for (const [name, run] of OF_PROCESSES) if (includes(name)) await run();
