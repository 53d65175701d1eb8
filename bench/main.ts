/**
 * `npm run bench`: every figure is a ratio against something in the same run, because machines are noisy.
 * `npm run bench -- narrations commands authentication maintenance verify reads server` runs these parts;
 * `--size 1000000` lets the tasks go over a million users.
 */
import { benchAuthentication } from './authentication.ts';
import { benchCommands } from './commands.ts';
import { benchMaintenance, benchVerify } from './maintenance.ts';
import { benchNarrations } from './narrations.ts';
import { benchReads } from './reads.ts';
import { benchServer } from './server.ts';
import { openBench, type Bench } from './support.ts';

const PARTS: readonly [name: string, run: (bench: Bench) => Promise<void>][] = [
  ['narrations', benchNarrations],
  ['commands', benchCommands],
  ['authentication', benchAuthentication],
  ['maintenance', benchMaintenance],
  ['verify', benchVerify],
  // Last, for its history was not made by the ledger and does not verify.
  ['reads', benchReads],
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
if (includes('server')) await benchServer();
