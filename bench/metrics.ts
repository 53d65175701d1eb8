import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import type * as Embedded from '../src/infra/postgres/embedded.ts';
import { administrator, ask, newListener, startProduct, type Product } from './product.ts';
import { compiled, measure, print } from './support.ts';

const IN_FLIGHT = 64;
const TURN_MS = 2_500;
const TURNS = 12;
const SCRAPES = 40;

/** Clock ticks of Linux, which /proc counts in. */
const TICKS_PER_SECOND = 100;

/** The processor time of a process so far, in seconds. */
async function processorSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** A server without a log does not say at which port it listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

type Work = (number: number) => Promise<unknown>;

/** What a server is asked: reads of the library, and grants, each of which is a line of the log. */
async function worksOf(
  { url }: Product,
  admin: { token: string },
): Promise<Record<'reads' | 'grants', Work>> {
  const { id: userId } = await newListener(url);
  return {
    reads: () =>
      ask(url, 'query Library { stories(first: 20) { nodes { title requiredCredits } } }'),
    grants: () =>
      ask(
        url,
        'mutation Grant($input: GrantCreditsInput!) { grantCredits(input: $input) { lot { id } } }',
        {
          input: {
            userId,
            amount: 1,
            source: 'FREE',
            reason: 'A bench',
            idempotencyKey: randomUUID(),
          },
        },
        admin.token,
      ),
  };
}

/** One turn of load: requests a second, and the processor time of the server for each. */
async function turn({ pid }: Product, work: Work): Promise<{ rate: number; cost: number }> {
  const before = await processorSeconds(pid);
  const startedAt = performance.now();
  let requests = 0;
  await measure(IN_FLIGHT, TURN_MS, async (number) => {
    requests += 1;
    await work(number);
  });
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    rate: requests / seconds,
    cost: ((await processorSeconds(pid)) - before) / requests,
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function timeScrapes({ url }: Product, what: string): Promise<void> {
  const times: number[] = [];
  // The first one waits for figures that were never read.
  await fetch(`${url}/metrics`);
  let length = 0;
  for (let count = 0; count < SCRAPES; count += 1) {
    const startedAt = performance.now();
    length = (await (await fetch(`${url}/metrics`)).text()).length;
    times.push(performance.now() - startedAt);
  }
  print(
    `  /metrics ${what}, ${String(length)} characters: median ${median(times).toFixed(1)} ms, longest ${Math.max(...times).toFixed(1)} ms`,
  );
}

const [JOBS, ACCOUNTS] = ['100000', '400000'];

/** Jobs that wait and have failed, and accounts with two lots each. */
async function fill({ folder }: Product): Promise<void> {
  const { findRunningPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const address = await findRunningPostgres(join(folder, 'postgres'));
  const client = new pg.Client({ connectionString: address ?? '' });
  await client.connect();
  await client.query(`
    CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS id, n FROM generate_series(1, ${ACCOUNTS}) n;
    INSERT INTO users (id, email, password_hash) SELECT id, n || '@metrics.example', '' FROM made;
    INSERT INTO credit_accounts (user_id) SELECT id FROM made;
    INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at)
    SELECT id, gen_random_uuid(), 'EVENT', 10, 5, 5, ledger_now(), ledger_now() + interval '30 days'
    FROM made, generate_series(1, 2);
    INSERT INTO pgboss.job (id, name, state, data, start_after, created_on, expire_seconds, deletion_seconds, keep_until,
      retry_limit, policy)
    SELECT gen_random_uuid(), 'synthesize-audio', (CASE WHEN n % 2 = 0 THEN 'created' ELSE 'failed' END)::pgboss.job_state,
      '{}', now() - n * interval '1 second', now(), 3600, 604800, now() + interval '30 days', 4, 'standard'
    FROM generate_series(1, ${JOBS}) n;
    ANALYZE`);
  await client.end();
}

/** What metrics and the log cost: two servers, one without both, are loaded in alternate turns. */
export async function benchMetrics(): Promise<void> {
  print('\nMetrics and log against neither, 64 in flight, in alternate turns');
  const quiet = new URL('./without-metrics.ts', import.meta.url).href;
  const role = { ROLE: 'api' };
  const on = await startProduct(role);
  const off = await startProduct({ ...role, LOG_LEVEL: 'silent', PORT: String(await freePort()) }, [
    quiet,
  ]);
  try {
    const sides = [
      { product: on, works: await worksOf(on, await administrator(on)) },
      { product: off, works: await worksOf(off, await administrator(off)) },
    ] as const;
    for (const name of ['reads', 'grants'] as const) {
      const [rates, costs, seen]: number[][] = [[], [], []];
      for (let number = 0; number < TURNS; number += 1) {
        // Each begins half of the pairs, because a machine gets slower or faster meanwhile.
        const order = number % 2 === 0 ? sides : sides.toReversed();
        const results = new Map<Product, { rate: number; cost: number }>();
        for (const { product, works } of order)
          results.set(product, await turn(product, works[name]));
        const [with_, without] = [results.get(on), results.get(off)];
        if (with_ === undefined || without === undefined) continue;
        seen?.push(with_.rate);
        rates?.push(with_.rate / without.rate);
        costs?.push(with_.cost / without.cost);
      }
      print(
        `  ${name.padEnd(7)} ${median(seen ?? []).toFixed(0)}/s, × ${median(rates ?? []).toFixed(3)} of the rate without; processor time of a request × ${median(costs ?? []).toFixed(3)}`,
      );
    }
    await timeScrapes(on, 'of a small database');
    await fill(on);
    await timeScrapes(on, `with ${JOBS} jobs and ${ACCOUNTS} accounts`);
  } finally {
    await on.stop();
    await off.stop();
  }
}
