import { randomUUID } from 'node:crypto';
import { Agent, request as send } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type * as Embedded from '../src/infra/postgres/embedded.ts';
import { administrator, newListener, startProduct, UNBUNDLED, type Product } from './product.ts';
import type { Switch } from './metrics-switch.ts';
import { compiled, print } from './support.ts';

const IN_FLIGHT = 64;
const ROUNDS = 60;
const WARM_UP_TURNS = 4;
const SCRAPES = 40;
/** By then the lines of a turn are made and written, which belongs to its processor time. */
const LINES_WRITTEN_MS = 150;
const ACCOUNTS_GRANTED = 32;

type Work = () => Promise<void>;

interface Load {
  readonly name: string;
  /** How many requests a turn has: less than a second of work, so that the machine is alike in both turns of a round. */
  readonly requests: number;
  readonly work: Work;
}

/** Cheaper than `fetch`, because the load takes processor time from the server. */
function sender({
  url,
}: Product): (query: string, variables: object, token: string) => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  return async (query, variables, token) => {
    const headers = {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    };
    const answer = await new Promise<unknown>((resolve, reject) => {
      const request = send(`${url}/graphql`, { method: 'POST', agent, headers }, (response) => {
        json(response).then(resolve, reject);
      });
      request.on('error', reject).end(JSON.stringify({ query, variables }));
    });
    if ('errors' in (answer as object)) throw new Error(JSON.stringify(answer));
  };
}

/** Reads of the library, and grants, each of which is one more line of the log. */
async function loadsOf(product: Product): Promise<readonly Load[]> {
  const { token } = await administrator(product);
  // With a single account, a busy machine would refuse some of the grants.
  const userIds: string[] = [];
  while (userIds.length < ACCOUNTS_GRANTED) userIds.push((await newListener(product.url)).id);
  let grants = 0;
  const ask = sender(product);
  return [
    {
      name: 'reads',
      requests: 192,
      work: () =>
        ask('query Library { stories(first: 20) { nodes { title requiredCredits } } }', {}, ''),
    },
    {
      name: 'grants',
      requests: 128,
      work: () =>
        ask(
          'mutation Grant($input: GrantCreditsInput!) { grantCredits(input: $input) { lot { id } } }',
          {
            input: {
              userId: userIds[(grants += 1) % ACCOUNTS_GRANTED],
              amount: 1,
              source: 'FREE',
              reason: 'A bench',
              idempotencyKey: randomUUID(),
            },
          },
          token,
        ),
    },
  ];
}

interface Turn {
  readonly seconds: number;
  readonly processorUs: number;
}

/** The same number of requests each time, 64 in flight. */
async function turn(product: Product, { requests, work }: Load, to: Switch): Promise<Turn> {
  const before = (await product.tell(to)) as number;
  const startedAt = performance.now();
  let left = requests;
  const runner = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, runner));
  const seconds = (performance.now() - startedAt) / 1000;
  await sleep(LINES_WRITTEN_MS);
  return { seconds, processorUs: ((await product.tell('processor time')) as number) - before };
}

const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? 0;

/** The median, and the values between which the true one is in 19 of 20 runs, whatever the noise is like. */
function describe(ratios: readonly number[]): string {
  const among = sorted(ratios);
  const half = Math.ceil(0.98 * Math.sqrt(ratios.length));
  const [low, high] = [
    among[(among.length >> 1) - half] ?? 0,
    among[(among.length >> 1) + half] ?? 0,
  ];
  return `× ${median(ratios).toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

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

/** One server, whose metrics and log are switched off in one of the two turns of each round. */
async function compare(product: Product, load: Load): Promise<void> {
  for (let count = 0; count < WARM_UP_TURNS; count += 1) await turn(product, load, 'on');
  const [withBoth, without]: [Turn[], Turn[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1)
    // Each begins half of the rounds, because the machine gets slower or faster meanwhile.
    for (const to of round % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const))
      (to === 'on' ? withBoth : without).push(await turn(product, load, to));
  const ratios = (of: (turn: Turn) => number): number[] =>
    withBoth.map((turn, round) => of(turn) / of(without[round] ?? turn));
  const rate = load.requests / median(withBoth.map(({ seconds }) => seconds));
  const cost = median(withBoth.map(({ processorUs }) => processorUs)) / load.requests;
  print(
    `  ${load.name.padEnd(7)} ${rate.toFixed(0)}/s  ${describe(ratios(({ seconds }) => 1 / seconds))}`,
  );
  print(
    `  ${''.padEnd(7)} processor time of a request ${cost.toFixed(0)} µs  ${describe(ratios(({ processorUs }) => processorUs))}`,
  );
}

/** What metrics and the log cost. */
export async function benchMetrics(): Promise<void> {
  print(
    `\nMetrics and log, on against off, ${String(IN_FLIGHT)} in flight: the median of ${String(ROUNDS)} rounds (95 %)`,
  );
  const product = await startProduct(
    { ROLE: 'api' },
    [new URL('./metrics-switch.ts', import.meta.url).href],
    UNBUNDLED,
  );
  try {
    for (const load of await loadsOf(product)) await compare(product, load);
    await product.tell('on');
    await timeScrapes(product, 'of a small database');
    await fill(product);
    await timeScrapes(product, `with ${JOBS} jobs and ${ACCOUNTS} accounts`);
  } finally {
    await product.stop();
  }
}
