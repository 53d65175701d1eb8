import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { pino } from 'pino';
import type * as Embedded from '../src/infra/postgres/embedded.ts';
import { subscribe, type Subscription } from './event-stream.ts';
import { administrator, grant, loadOfMachine, newListener, startProduct } from './product.ts';
import type { Person, Product } from './product.ts';
import { englishVoice, narrate, newStory, synthesize } from './stories.ts';
import { compiled, print } from './support.ts';
import { answersUntil, describe, memoryOf, startBareServer } from './watch.ts';

const PEOPLE = 200;
/** Each person follows their points once, and one of their narrations this many times. */
const LOOKS = 9;
const OPEN = PEOPLE * (1 + LOOKS);
const AT_ONCE = 16;
const ADMIN = { email: 'admin@example.com', password: 'administrator' };

const CREDITS = 'subscription { creditsUpdated { balance bySource { source balance } } }';
const AUDIO = 'subscription ($id: ID!) { audioUpdated(id: $id) { status progress url } }';

/** Those who follow: what they cost, and how soon they are told, by the same process and by another one. */
export async function benchLive(): Promise<void> {
  print(
    `\n${OPEN.toLocaleString('en')} subscriptions, load of the machine before ${await loadOfMachine()}`,
  );
  const { startEmbeddedPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const folder = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
  const postgres = await startEmbeddedPostgres({ folder, log: pino({ level: 'error' }) });
  const shared = {
    DATABASE_URL: postgres.url,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  };
  const api = await startProduct({ ...shared, ROLE: 'api' });
  const elsewhere = await startProduct({ ...shared, DATA_DIR: api.folder });
  try {
    await benchSubscriptions(api, elsewhere);
    print(`  load of the machine after                   ${await loadOfMachine()}`);
  } finally {
    await elsewhere.stop();
    await api.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function benchSubscriptions(api: Product, elsewhere: Product): Promise<void> {
  // Elsewhere, for hashed passwords leave behind memory that would be used again.
  const admin = await administrator(elsewhere, ADMIN);
  const people = await makePeople(elsewhere, admin);
  // What every process needs once, for any number of followers.
  const first = await openAll(api.url, people.slice(0, 2));
  close(first);
  const before = await settledMemory(api);
  const startedAt = performance.now();
  const opened = await openAll(api.url, people);
  const seconds = (performance.now() - startedAt) / 1000;
  const { ownMb: busyMb } = await memoryOf(api.pid);
  const after = await settledMemory(api);
  print(
    `  opened                                      ${(OPEN / seconds).toFixed(0)}/s (${seconds.toFixed(1)} s)`,
  );
  print(
    `  memory of the process                       ${before.toFixed(0)} → ${after.toFixed(0)} MB: ${(after - before).toFixed(0)} MB more, ${(((after - before) * 1024) / OPEN).toFixed(0)} kB each (${(busyMb - before).toFixed(0)} MB before garbage was collected)`,
  );
  await benchTelling('points given by the same process', api.url, admin, people, opened);
  await benchTelling('points given by another process', elsewhere.url, admin, people, opened);
  const bare = await startBareServer();
  const [ours = describe([]), theirs = describe([])] = await answersUntil(
    [`${api.url}/healthz`, bare.url],
    sleep(5_000),
  );
  bare.stop();
  const { stallMs, waitedMs, computedMs } = await api.observe();
  print(
    `  /healthz with all of them open, a bare server  p99 ${ours.p99Ms.toFixed(1)} ms, ${theirs.p99Ms.toFixed(1)} ms; at most ${ours.longestMs.toFixed(0)} ms, ${theirs.longestMs.toFixed(0)} ms`,
  );
  print(
    `  the event loop stood still                  at most ${stallMs.toFixed(0)} ms (${waitedMs.toFixed(0)} ms for want of a processor); computed at most ${computedMs.toFixed(0)} ms in one go`,
  );
  const over = opened.filter(({ credits, looks }) =>
    [credits, ...looks].some((one) => one.isOver()),
  );
  if (over.length > 0) throw new Error(`${String(over.length)} subscriptions have ended.`);
  close(opened);
}

type Listener = Person & { readonly audioId: string };

/** People with a narration each, all of one story. */
async function makePeople({ url }: Product, admin: Person): Promise<Listener[]> {
  const voiceId = await englishVoice(url);
  const storyId = await newStory(url, admin, 200);
  await grant(url, admin, admin, 10);
  await narrate(url, admin, { storyId, voiceId });
  const numbers = Array.from({ length: PEOPLE }, (_, number) => number);
  return pMap(
    numbers,
    async () => {
      const person = await newListener(url);
      await narrate(url, person, { storyId, voiceId }, 100);
      return { ...person, audioId: (await synthesize(url, person, storyId, voiceId)).id };
    },
    { concurrency: 4 },
  );
}

interface Opened {
  readonly credits: Subscription;
  readonly looks: readonly Subscription[];
}

/** Opens all subscriptions, and waits for the first event of each. */
const openAll = (url: string, people: readonly Listener[]): Promise<Opened[]> =>
  pMap(
    people,
    async ({ token, audioId }) => {
      const credits = await subscribe(url, CREDITS, {}, token);
      const looks: Subscription[] = [];
      for (let look = 0; look < LOOKS; look += 1)
        looks.push(await subscribe(url, AUDIO, { id: audioId }, token));
      return { credits, looks };
    },
    { concurrency: AT_ONCE },
  );

function close(opened: readonly Opened[]): void {
  for (const { credits, looks } of opened) for (const one of [credits, ...looks]) one.close();
}

/** Resident memory of the process in megabytes, when it has thrown away what it does not need. */
async function settledMemory(product: Product): Promise<number> {
  for (let time = 0; time < 3; time += 1) {
    await sleep(1_000);
    await product.observe();
  }
  await sleep(1_000);
  return (await memoryOf(product.pid)).ownMb;
}

/** Grants one after the other: the time from the request until its receiver was told. */
async function benchTelling(
  what: string,
  url: string,
  admin: Person,
  people: readonly Listener[],
  opened: readonly Opened[],
): Promise<void> {
  const [answered, told]: [number[], number[]] = [[], []];
  for (const [index, person] of people.entries()) {
    const next = opened[index]?.credits.next();
    const startedAt = performance.now();
    await grant(url, admin, person, 1);
    answered.push(performance.now() - startedAt);
    told.push(((await next) ?? NaN) - startedAt);
  }
  const [answer, tell] = [describe(answered), describe(told)];
  print(
    `  ${what.padEnd(42)}  told p50 ${tell.p50Ms.toFixed(1)} ms, p99 ${tell.p99Ms.toFixed(1)} ms, at most ${tell.longestMs.toFixed(0)} ms after asking (answered p50 ${answer.p50Ms.toFixed(1)} ms, p99 ${answer.p99Ms.toFixed(1)} ms): × ${(tell.p50Ms / answer.p50Ms).toFixed(2)}`,
  );
}
