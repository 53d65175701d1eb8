import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Attack } from './attackers.ts';
import {
  administrator,
  ask,
  loadOfMachine,
  newListener,
  startProduct,
  type Product,
} from './product.ts';
import { newStory } from './stories.ts';
import { print } from './support.ts';
import { describe, withPeak, type Answers } from './watch.ts';

/** How long each attack goes on; ATTACK_SECONDS=60 for a minute each. */
const SECONDS = Number(process.env['ATTACK_SECONDS'] ?? 10);
/** Only the attacks with this text in their names. */
const ONLY = process.env['ATTACK_NAME'] ?? '';
const STRANGERS = 4;
/** The interval between the requests of the listener during the attack. */
const ASK_EVERY_MS = 40;

const HONEST =
  '{ stories(first: 10) { nodes { id title requiredCredits } } me { id displayName } }';
const LOTS = 'query ($s: [CreditLotStatus!]) { creditLots(status: $s) { nodes { id } } }';
const LOGIN = 'mutation ($i: LoginInput!) { login(input: $i) { accessToken } }';

const post = (query: string, variables: object = {}, more: Partial<Attack> = {}): Attack => ({
  method: 'POST',
  path: '/graphql',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ query, variables }),
  reads: true,
  ...more,
});

/** Fragments that each spread the next one twice. */
const doubling = (root: string, type: string): string =>
  `${root}{...a0} ${Array.from({ length: 40 }, (_, at) => `fragment a${String(at)} on ${type}{...a${String(at + 1)} ...a${String(at + 1)}}`).join(' ')} fragment a40 on ${type}{__typename}`;

const attacksOn = (storyId: string): readonly [name: string, attack: Attack][] => {
  const contents = (count: number): string =>
    `{ ${Array.from({ length: count }, (_, at) => `a${String(at)}: story(id: "${storyId}") { content }`).join(' ')} }`;
  return [
    // What four busy clients take from the machine, whatever they ask.
    ['{ __typename }, for comparison', post('{ __typename }')],
    ['fragments that double', post(doubling('subscription', 'Subscription'))],
    [
      '… by GET, from another site',
      {
        ...post(''),
        method: 'GET',
        path: `/graphql/stream?query=${encodeURIComponent(doubling('subscription', 'Subscription'))}`,
        headers: {},
        body: null,
      },
    ],
    ['… as events', post(doubling('query', 'Query'), {}, { path: '/graphql/stream' })],
    ['a field 490 times', post(`{ ${'me { id } '.repeat(490)} }`)],
    ['an enum of a megabyte', post(LOTS, { s: 'cannot represent '.repeat(55_000) })],
    ['a key of a megabyte', post(LOGIN, { i: { ['Value '.repeat(150_000)]: 1 } })],
    [
      '60,000 unknown keys',
      post(LOGIN, {
        i: Object.fromEntries(Array.from({ length: 60_000 }, (_, at) => [`k${String(at)}`, 1])),
      }),
    ],
    [
      '90,000 names under 50 aliases',
      post(
        `query ($s: [CreditLotStatus!]) { ${Array.from({ length: 50 }, (_, at) => `a${String(at)}: creditLots(status: $s) { nodes { id } }`).join(' ')} }`,
        { s: Array(90_000).fill('ACTIVE') },
      ),
    ],
    ['3 kB in, 11 MB out', post(contents(50))],
    ['2 MB out', post(contents(9))],
    ['2 MB out that nothing reads', post(contents(9), {}, { reads: false })],
    [
      'wrong variables of a subscription',
      post(
        'subscription ($i: ID!) { audioUpdated(id: $i) { status } }',
        { i: { a: 1 } },
        { path: '/graphql/stream' },
      ),
    ],
  ];
};

/** What an honest listener waits for while four strangers attack, against what they wait for when nothing else goes on. */
export async function benchAttacks(): Promise<void> {
  print(
    `\nfour strangers for ${String(SECONDS)} s each, load of the machine before ${await loadOfMachine()}`,
  );
  const product = await startProduct({ ROLE: 'api' });
  try {
    const admin = await administrator(product);
    const storyId = await newStory(product.url, admin, 200_000);
    const listener = await newListener(product.url);
    const idle = await honestly(product, listener.token);
    print(
      `  ${'idle'.padEnd(36)} p50 ${idle.p50Ms.toFixed(1)} ms  p99 ${idle.p99Ms.toFixed(1)} ms`,
    );
    for (const [name, attack] of attacksOn(storyId).filter(([each]) => each.includes(ONLY)))
      await benchAttack(product, listener.token, idle, name, attack);
    print(`  load of the machine after ${await loadOfMachine()}`);
  } finally {
    await product.stop();
  }
}

async function benchAttack(
  product: Product,
  token: string,
  idle: Answers,
  name: string,
  attack: Attack,
): Promise<void> {
  const worker = new Worker(new URL('./attackers.ts', import.meta.url), {
    workerData: { url: product.url, attack, strangers: STRANGERS },
  });
  const { result, peak } = await withPeak(product.pid, () => honestly(product, token)).finally(() =>
    worker.terminate(),
  );
  const { p50Ms, p99Ms, longestMs, refused } = result;
  print(
    `  ${name.padEnd(36)} p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms (× ${(p99Ms / idle.p99Ms).toFixed(1)})  longest ${longestMs.toFixed(0)} ms  memory ${peak.ownMb.toFixed(0)} MB${refused > 0 ? `  ${String(refused)} refused` : ''}`,
  );
}

interface Honest extends Answers {
  /** How many of them were refused. */
  readonly refused: number;
}

/** Asks for the library and for oneself at a steady pace. */
async function honestly({ url }: Product, token: string): Promise<Honest> {
  const latencies: number[] = [];
  const asked: Promise<void>[] = [];
  let refused = 0;
  const until = performance.now() + SECONDS * 1000;
  while (performance.now() < until) {
    const startedAt = performance.now();
    const answered = ask(url, HONEST, {}, token)
      .catch(() => (refused += 1))
      .then(() => void latencies.push(performance.now() - startedAt));
    asked.push(answered);
    await sleep(ASK_EVERY_MS);
  }
  await Promise.all(asked);
  return { ...describe(latencies), refused };
}
