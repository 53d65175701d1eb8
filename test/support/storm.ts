import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestDatabase } from './cluster.js';

const CHILD = fileURLToPath(new URL('storm-process.mjs', import.meta.url));

/** Debits of 1 point on one account, from several processes. @returns how many came to what */
export async function storm(
  database: TestDatabase,
  options: { userId: string; processes: number; debits: number },
): Promise<Record<string, number>> {
  const { userId, processes, debits } = options;
  const shares = Array.from(
    { length: processes },
    (_, index) =>
      Math.floor((debits * (index + 1)) / processes) - Math.floor((debits * index) / processes),
  );
  const counts = await Promise.all(
    shares.map(async (share) => {
      const child = fork(CHILD, [database.url, userId, String(share)], {
        execArgv: [],
        silent: true,
      });
      let complaint = '';
      child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
      const answer = once(child, 'message') as Promise<[Record<string, number>]>;
      const ended = once(child, 'exit').then(([code]) => {
        if (code !== 0) throw new Error(`A process ended with ${String(code)}: ${complaint}`);
        return null;
      });
      const [result] = (await Promise.race([answer, ended])) ?? [{}];
      await ended;
      return result;
    }),
  );
  const sum: Record<string, number> = {};
  for (const count of counts)
    for (const [name, number] of Object.entries(count)) sum[name] = (sum[name] ?? 0) + number;
  return sum;
}
