import { administrator, ask, grant, loadOfMachine, newListener, startProduct } from './product.ts';
import { bareSpeed, PROCESSES } from './bare-speech.ts';
import { englishVoice, narrate, newStory, synthesize, textOf, type Narrated } from './stories.ts';
import type { Person, Product } from './product.ts';
import { print } from './support.ts';
import { answersUntil, describe, startBareServer, withPeak, type Memory } from './watch.ts';

const SHORT = 1_000;
const LONG = 20_000;
const LONGEST = 200_000;
const TIMES = 5;
/** As often as a patient listener looks; what is measured in minutes needs no more. */
const NOW_AND_THEN_MS = 250;

interface Speech {
  readonly product: Product;
  readonly admin: Person;
  readonly voiceId: string;
}

/** From asking to the recording: how soon, how fast, in how much memory, and what others notice of it. */
export async function benchSpeech(): Promise<void> {
  print(`\nNarrations, load of the machine before ${await loadOfMachine()}`);
  const product = await startProduct();
  try {
    const admin = await administrator(product);
    await grant(product.url, admin, admin, 1_000_000);
    const speech = { product, admin, voiceId: await englishVoice(product.url) };
    const soon = await benchSoon(speech);
    const first = await benchFirstSound(speech);
    const bare = await benchBare();
    const few = await benchLong(speech, [LONG]);
    print(
      `    against eSpeak NG and LAME alone          × ${(few.speed / bare).toFixed(2)}, with pauses and loudness`,
    );
    await benchLong(speech, [LONG, LONG]);
    const many = await benchLong(speech, [LONGEST]);
    print('  memory while speaking 200,000 characters, against 20,000');
    compare('all processes, shared pages once', few.peak, many.peak, 'pssMb');
    compare('all but Postgres', few.peak, many.peak, 'pssOfNodeMb');
    compare('the process with the API', few.peak, many.peak, 'ownMb');
    tellRequired([
      ['seconds to READY, 1,000 characters', soon.made, 3, 'at most'],
      ['seconds to the first sound', first, 1, 'at most'],
      ['seconds to READY, an existing recording', soon.shared, 0.2, 'at most'],
      ['times as fast as listening', [few.speed], 80, 'at least'],
    ]);
    print(`  load of the machine after                   ${await loadOfMachine()}`);
  } finally {
    await product.stop();
  }
}

const list = (values: readonly number[]): string =>
  values.map((value) => value.toFixed(value < 1 ? 3 : 2)).join(', ');

/** Seconds from the request to READY, for new recordings and for existing ones. */
interface Soon {
  readonly made: readonly number[];
  readonly shared: readonly number[];
}

async function benchSoon({ product: { url }, admin, voiceId }: Speech): Promise<Soon> {
  await narrate(url, admin, { storyId: await newStory(url, admin, SHORT), voiceId });
  const other = await newListener(url);
  await grant(url, admin, other, 1_000);
  const [made, shared, query]: [number[], number[], number[]] = [[], [], []];
  for (let time = 0; time < TIMES; time += 1) {
    const story = { storyId: await newStory(url, admin, SHORT), voiceId };
    made.push((await narrate(url, admin, story, 5)).seconds);
    shared.push((await narrate(url, other, story, 5)).seconds);
    const startedAt = performance.now();
    await ask(url, '{ me { id } }', {}, other.token);
    query.push((performance.now() - startedAt) / 1000);
  }
  print(`  1,000 characters, asking → READY            ${list(made)} s`);
  print(
    `  the same for the next who asks              ${list(shared)} s  (a query: ${list(query)} s)`,
  );
  return { made, shared };
}

/** The speed of the engine and the encoder alone, in the same run, because machines differ. */
async function benchBare(): Promise<number> {
  const speed = await bareSpeed(textOf(LONG));
  print(
    `  eSpeak NG and LAME alone, ${String(PROCESSES)} processes       × ${speed.toFixed(0)} of listening`,
  );
  return speed;
}

type Required = readonly [
  what: string,
  values: readonly number[],
  bound: number,
  side: 'at most' | 'at least',
];

/** The required figures on two cores that are otherwise idle. The worst value counts. */
function tellRequired(required: readonly Required[]): void {
  print('  required on two idle cores');
  for (const [what, values, bound, side] of required) {
    const worst = side === 'at most' ? Math.max(...values) : Math.min(...values);
    const isMet = side === 'at most' ? worst <= bound : worst >= bound;
    const share = (worst / bound).toFixed(2);
    print(
      `    ${what.padEnd(42)}${worst.toFixed(2)}, ${side} ${String(bound)}: × ${share}, ${isMet ? 'met' : 'NOT met'}`,
    );
  }
}

/** How long after asking the first bytes of the recording come, while the rest is still being spoken. */
async function benchFirstSound({
  product: { url },
  admin,
  voiceId,
}: Speech): Promise<readonly number[]> {
  const waits: number[] = [];
  for (let time = 0; time < 3; time += 1) {
    const storyId = await newStory(url, admin, LONG);
    const startedAt = performance.now();
    const { streamUrl } = await synthesize(url, admin, storyId, voiceId);
    if (streamUrl === null) throw new Error('It was there already.');
    const { body } = await fetch(streamUrl);
    const chunks = body as AsyncIterable<Uint8Array> | null;
    let first: number | undefined;
    for await (const _chunk of chunks ?? []) first ??= performance.now() - startedAt;
    waits.push((first ?? NaN) / 1000);
    await narrate(url, admin, { storyId, voiceId });
  }
  print(`  first sound of 20,000 characters            ${list(waits)} s`);
  return waits;
}

/** Speaks stories of these lengths at once, and asks the API meanwhile whether it is alive. */
async function benchLong(
  speech: Speech,
  lengths: readonly number[],
): Promise<{ readonly peak: Memory; readonly speed: number }> {
  const { product, admin, voiceId } = speech;
  const { url, pid } = product;
  const stories: string[] = [];
  for (const length of lengths) stories.push(await newStory(url, admin, length));
  await product.observe();
  const bare = await startBareServer();
  const { result, peak } = await withPeak(pid, async () => {
    const speaking = Promise.all(
      stories.map((storyId) => narrate(url, admin, { storyId, voiceId }, NOW_AND_THEN_MS)),
    );
    const answers = await answersUntil([`${url}/healthz`, bare.url], speaking);
    return { answers, narrated: await speaking };
  });
  bare.stop();
  const speed = tell(lengths, result.narrated);
  const { stallMs, waitedMs, computedMs, heapMb, externalMb } = await product.observe();
  const [ours = describe([]), theirs = describe([])] = result.answers;
  print(
    `    /healthz meanwhile, a bare server         p99 ${ms(ours.p99Ms)}, ${ms(theirs.p99Ms)}; at most ${ms(ours.longestMs)}, ${ms(theirs.longestMs)}`,
  );
  print(
    `    the event loop stood still                at most ${ms(stallMs)} (${ms(waitedMs)} for want of a processor); computed at most ${ms(computedMs)} in one go`,
  );
  print(
    `    memory at most                            ${mb(peak.rssMb)} (${mb(peak.pssMb)} with shared pages counted once, ${mb(peak.ownMb)} the API), ${mb(heapMb + externalMb)} of objects afterwards`,
  );
  return { peak, speed };
}

/** @returns how many times faster than listening */
function tell(lengths: readonly number[], narrated: readonly Narrated[]): number {
  const seconds = Math.max(...narrated.map((one) => one.seconds));
  const speechSeconds = narrated.reduce((total, one) => total + one.speechSeconds, 0);
  const what = lengths.map((length) => length.toLocaleString('en')).join(' and ');
  print(
    `  speaking ${`${what} characters`.padEnd(34)} × ${(speechSeconds / seconds).toFixed(0)} of listening (${speechSeconds.toFixed(0)} s in ${seconds.toFixed(1)} s)`,
  );
  return speechSeconds / seconds;
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const mb = (value: number): string => `${value.toFixed(0)} MB`;

function compare(what: string, few: Memory, many: Memory, key: keyof Memory): void {
  print(
    `    ${what.padEnd(42)}${mb(many[key])} against ${mb(few[key])}  × ${(many[key] / few[key]).toFixed(2)}`,
  );
}
