import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { processorTimeOf } from '../support/measure.js';
import {
  changed,
  hostileRequest,
  randomGenes,
  requestOf,
  sendHostile,
  type Draw,
  type Genes,
  type HostileRequest,
} from '../support/fuzz/hostile.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

/**
 * Requests that are made to take long. TIME_FUZZ_SECONDS=600 searches for ten minutes instead of five seconds (.ci/run: for
 * half a minute), and TIME_FUZZ_SEED repeats a search.
 */
const SECONDS = Number(process.env['TIME_FUZZ_SECONDS'] ?? 5);
const SEED = Number(process.env['TIME_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Bounds of the processor time, with that of the client: for a small request, and for each further megabyte. */
const SMALL_MS = 50;
const PER_MEGABYTE_MS = 100;
const ANSWER_WITHIN_MS = 120_000;

let talebank: Talebank;
let url: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
});
afterAll(() => talebank.close());

const limitOf = ({ query, variables }: HostileRequest): number =>
  SMALL_MS + (PER_MEGABYTE_MS * (query.length + JSON.stringify(variables).length)) / 1_000_000;

/** Sends a request and reads its answer; a subscription that opens is closed. */
async function ask(request: HostileRequest): Promise<number> {
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort(new Error('There was no answer.'));
  }, ANSWER_WITHIN_MS);
  try {
    const response = await sendHostile(url, request, over.signal);
    const isStream = response.headers.get('content-type')?.includes('event-stream') === true;
    if (response.ok && isStream) await response.body?.cancel();
    else await response.text();
    return response.status;
  } finally {
    clearTimeout(timer);
  }
}

/** Other work of the process can only make it larger, so the least of a few counts where it is over the limit. */
async function costOf(request: HostileRequest): Promise<number> {
  const limit = limitOf(request);
  let least = Infinity;
  for (let tries = 0; tries < 8 && least >= limit; tries += 1)
    least = Math.min(
      least,
      await processorTimeOf(url, async () => {
        expect(await ask(request)).toBeLessThan(500);
      }),
    );
  return least;
}

test('a document of any shape costs time in proportion to its length, at every door', async () => {
  await fc.assert(
    fc.asyncProperty(hostileRequest, async (request) => {
      expect(await costOf(request)).toBeLessThan(limitOf(request));
    }),
    { numRuns: 150, seed: SEED, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  );
});

/** https://en.wikipedia.org/wiki/Linear_congruential_generator, with the numbers of Numerical Recipes. */
function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Tried {
  readonly genes: Genes;
  /** Share of its limit that it took. */
  readonly share: number;
}

const KEPT = 12;

test(
  'a search for slow requests finds none',
  async () => {
    const draw = drawFrom(SEED);
    const until = performance.now() + SECONDS * 1000;
    let worst: Tried[] = [];
    let tried = 0;
    // A slow machine searches for longer, so that it tries enough.
    while (performance.now() < until || tried <= SECONDS) {
      const parent = worst[draw(Math.max(1, worst.length))];
      const genes =
        parent === undefined || draw(4) === 0 ? randomGenes(draw) : changed(draw, parent.genes);
      const request = requestOf(genes);
      if (request === null) continue;
      const share = (await costOf(request)) / limitOf(request);
      tried += 1;
      if (share >= 1)
        throw new Error(
          `Seed ${String(SEED)}: ${share.toFixed(2)} of the limit for ${JSON.stringify(genes)}`,
        );
      worst = [...worst, { genes, share }]
        .sort((one, other) => other.share - one.share)
        .slice(0, KEPT);
    }
    // A search by hand tells how close it came.
    if (process.env['TIME_FUZZ_SECONDS'] !== undefined)
      console.info(`${String(tried)} requests, seed ${String(SEED)}`, JSON.stringify(worst[0]));
    expect(tried).toBeGreaterThan(SECONDS);
  },
  SECONDS * 1000 + 120_000,
);
