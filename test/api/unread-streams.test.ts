import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { send } from '../support/client.js';
import { until } from '../support/faults.js';
import {
  administrator,
  englishVoice,
  grantTo,
  newListener,
  newStory,
  textOf,
  waitForAudio,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

const MB = 1024 * 1024;
const GROWTH_BYTES_MAX = 64 * MB;
/** Resident memory also has garbage, and what the allocator keeps. */
const RESIDENT_GROWTH_BYTES_MAX = 96 * MB;
/** More than the buffers of the network take. */
const RECORDING_BYTES = 64 * MB;
let talebank: Talebank;
let recording: URL;
let narration: URL;
const sockets: Socket[] = [];

beforeAll(async () => {
  talebank = await startTalebank();
  const { url, dataDir } = talebank;
  const admin = await administrator(url);
  const listener = await newListener(url);
  await grantTo(url, admin, listener, { amount: 1000 });
  // Each sentence is spoken once, so that a long recording is made of little speech.
  const story = await newStory(url, admin, { content: `${textOf(1_500)} `.repeat(10) });
  // Told with the answer, because it has a stream only while it is made.
  const { data } = await send<{ synthesizeAudio: { audio: { id: string; streamUrl: string } } }>(
    url,
    'mutation ($input: SynthesizeAudioInput!) { synthesizeAudio(input: $input) { audio { id streamUrl } } }',
    { input: { storyId: story.id, voiceId: await englishVoice(url) } },
    { token: listener.token },
  );
  const begun = data?.synthesizeAudio.audio;
  narration = new URL(begun?.streamUrl ?? '');
  const made = await waitForAudio(url, listener, begun?.id ?? '', ['READY'], 240_000);
  recording = new URL(made.url ?? '');
  const key = recording.pathname.split('/').at(-1) ?? '';
  // A sparse file: what is added are zeros, and the narration's sentences stay where they are.
  await truncate(join(dataDir, 'audio', key.slice(0, 2), key), RECORDING_BYTES);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await sleep(100);
});
afterAll(() => talebank.close());

/** An own process for each test, so that memory is measured from the same start. */
function startFresh(before: string): Promise<ServerProcess> {
  const path = new URL(`../support/${before}`, import.meta.url).href;
  return talebank.join({ ROLE: 'api' }, { before: path });
}

interface Looked {
  readonly connections: number;
  readonly unsent: number;
  /** Memory that the process uses: resident, and what its objects and buffers take. */
  readonly resident: number;
  readonly used: number;
}

/** Looks at all of it at once, because to write the metrics takes the server some milliseconds. */
async function look({ url }: ServerProcess): Promise<Looked> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  const sample = (name: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(`talebank_${name} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  return {
    connections: sample('connections'),
    unsent: sample('unsent_bytes'),
    resident: sample('process_resident_memory_bytes'),
    used: sample('nodejs_heap_size_used_bytes') + sample('nodejs_external_memory_bytes'),
  };
}

/** Asks for a stream and reads nothing of it. */
function ask(server: ServerProcess, { pathname, search }: URL): Socket {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  sockets.push(socket);
  return socket;
}

/** What is unsent of each stream at least, once the buffers of the network are full. */
const UNSENT_BYTES_MIN = 10_000;
/** How long a loaded machine may take to fill all streams. */
const PATIENCE_MS = 400_000;
/** Half a second, so that the checks take little of the server's time. */
const LOOK_EVERY_MS = 500;

async function collectGarbage({ child }: ServerProcess): Promise<void> {
  const collected = once(child, 'message');
  child.send('collect garbage');
  await collected;
}

/** Opens streams and reads nothing until all are cut off. @returns what memory grew by */
async function openUnread(
  server: ServerProcess,
  { streams, address, prepare }: { streams: number; address: URL; prepare?: typeof collectGarbage },
): Promise<Pick<Looked, 'resident' | 'used'>> {
  // What is loaded with the first stream does not count.
  ask(server, address);
  await until('it waits', async () => (await look(server)).unsent > 0, PATIENCE_MS);
  await prepare?.(server);
  const before = await look(server);
  for (let count = 1; count < streams; count += 1) ask(server, address);
  // One that still waited for its turn to send would be cut off with nothing unsent.
  await until(
    'all are open and wait',
    async () => {
      await sleep(LOOK_EVERY_MS);
      const { connections, unsent } = await look(server);
      return connections >= streams && unsent > streams * UNSENT_BYTES_MIN;
    },
    PATIENCE_MS,
  );
  server.child.send('shorten the silence');
  const seen: Looked[] = [];
  await until(
    'all are cut off',
    async () => {
      await sleep(LOOK_EVERY_MS);
      const now = await look(server);
      seen.push(now);
      // Those of the test itself are idle.
      return now.connections < 10 && now.unsent === 0;
    },
    100_000,
  );
  const unsent = Math.max(...seen.map((one) => one.unsent));
  const full = seen.filter((one) => one.unsent > unsent / 2);
  return {
    resident: Math.max(...seen.map((one) => one.resident)) - before.resident,
    // The newest garbage is in it, where garbage is collected.
    used: Math.min(...full.map((one) => one.used)) - before.used,
  };
}

test(
  'two hundred unread streams of a recording take little memory, and are cut off',
  async () => {
    const server = await startFresh('short-silence.mjs');
    const grown = await openUnread(server, { streams: 200, address: recording });
    expect(grown.resident).toBeLessThan(RESIDENT_GROWTH_BYTES_MAX);
  },
  3 * PATIENCE_MS,
);

test(
  'as many unread streams of a narration as a person may have take little memory, and are cut off',
  async () => {
    const server = await startFresh('short-silence-collected.mjs');
    const grown = await openUnread(server, {
      streams: 100,
      address: narration,
      prepare: collectGarbage,
    });
    expect(grown.used).toBeLessThan(GROWTH_BYTES_MAX);
  },
  3 * PATIENCE_MS,
);
