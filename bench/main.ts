/**
 * `npm run bench`: every figure is a ratio against something in the same run, because machines are noisy.
 * `npm run bench -- narrations` or `-- server` runs a part.
 */
import { benchNarrations } from './narrations.ts';
import { benchServer } from './server.ts';
import { openBench } from './support.ts';

const wanted = process.argv.slice(2);
const includes = (part: string): boolean => wanted.length === 0 || wanted.includes(part);

if (includes('narrations')) {
  const bench = await openBench();
  await benchNarrations(bench).finally(() => bench.close());
}
if (includes('server')) await benchServer();
