import { spawnSync } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decode } from 'fast-png';
import { parseBuffer } from 'music-metadata';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { ask } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { readMp3, tagLength } from '../support/mp3.js';
import { VoiceSamples } from '../support/operations.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;
let file: string;
let captions: string;
let whole: Uint8Array;

beforeAll(async () => {
  talebank = await startTalebank();
  ({ url } = talebank);
  listener = await newListener(url);
  admin = await administrator(url);
  await grantTo(url, admin, listener, { amount: 100 });
  const story = await newStory(url, admin, { length: 300 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId);
  file = audio.url ?? '';
  captions = audio.captionsUrl ?? '';
  whole = await bytesOf(await fetch(file));
});
afterAll(() => talebank.close());

/** Spoken once, whatever the title. */
const WORDS = 'The moon looked into every window, and went on.';

const bytesOf = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer());
const get = (headers: Record<string, string>): Promise<Response> => fetch(file, { headers });

test.each([
  ['bytes=0-99', 0, 99],
  ['bytes=100-', 100, undefined],
  ['bytes=-50', -50, undefined],
])('%s is answered with that part', async (range, start, end) => {
  const part = await get({ range });
  expect(part.status).toBe(206);
  const first = start < 0 ? whole.length + start : start;
  const last = end ?? whole.length - 1;
  expect(part.headers.get('content-range')).toBe(
    `bytes ${String(first)}-${String(last)}/${String(whole.length)}`,
  );
  expect(await bytesOf(part)).toEqual(whole.slice(first, last + 1));
});

test('a range beyond the end is 416 with the length', async () => {
  const answer = await get({ range: `bytes=${String(whole.length)}-` });
  expect(answer.status).toBe(416);
  expect(answer.headers.get('content-range')).toBe(`bytes */${String(whole.length)}`);
});

test('HEAD tells the length and type without the bytes', async () => {
  const head = await fetch(file, { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-length')).toBe(String(whole.length));
  expect(head.headers.get('content-type')).toBe('audio/mpeg');
  expect(head.headers.get('accept-ranges')).toBe('bytes');
  expect((await bytesOf(head)).length).toBe(0);
});

test('the ETag spares the bytes, and guards a range', async () => {
  const etag = (await get({})).headers.get('etag') ?? '';
  expect((await get({ 'if-none-match': etag })).status).toBe(304);
  expect((await get({ 'if-range': etag, range: 'bytes=0-0' })).status).toBe(206);
  expect((await get({ 'if-range': '"another"', range: 'bytes=0-0' })).status).toBe(200);
});

test('captions are WebVTT', async () => {
  const answer = await fetch(captions);
  expect(answer.headers.get('content-type')).toBe('text/vtt; charset=utf-8');
  expect(await answer.text()).toMatch(/^WEBVTT\n\n1\n00:00:00\.000 --> /);
});

test('a wrong, foreign or expired signature is 403', async () => {
  const address = new URL(file);
  const change = (name: string, value: string): string => {
    const changed = new URL(address);
    changed.searchParams.set(name, value);
    return changed.href;
  };
  const signature = address.searchParams.get('signature') ?? '';
  const wrong = [
    change('signature', ''),
    change('signature', `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`),
    change('expires', '9999999999'),
    change('expires', '1'),
    file.replace('.mp3', '.vtt'),
    `${address.origin}${address.pathname}`,
    `${address.origin}/files/..%2f..%2fetc%2fpasswd${address.search}`,
  ];
  for (const one of wrong) expect([one, (await fetch(one)).status]).toEqual([one, 403]);
});

describe('a recording has the name of its story', () => {
  /** The name that old clients read, and the one that others read. */
  const namesOf = (header: string | null): [string | undefined, string] => {
    const [, ascii, encoded = ''] =
      /^inline; filename="([^"]*)"; filename\*=UTF-8''([\w.~!$&+^`|%-]*)$/.exec(header ?? '') ?? [];
    return [ascii, decodeURIComponent(encoded)];
  };
  const titled = async (title: string): Promise<{ url: string; captionsUrl: string }> => {
    const story = await newStory(url, admin, { title, content: WORDS });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    const audio = await waitForAudio(url, listener, audioId);
    return { url: audio.url ?? '', captionsUrl: audio.captionsUrl ?? '' };
  };

  test('in two forms, whole and in part, and so have its captions', async () => {
    const audio = await titled('Żółw "i" ירח');
    for (const [address, ending] of [
      [audio.url, 'mp3'],
      [audio.captionsUrl, 'vtt'],
    ] as const)
      for (const headers of [{}, { range: 'bytes=0-0' }]) {
        const answer = await fetch(address, { headers });
        await answer.arrayBuffer();
        expect(namesOf(answer.headers.get('content-disposition'))).toEqual([
          `zolw-i.${ending}`,
          `Żółw "i" ירח.${ending}`,
        ]);
      }
  });

  test('and stories with the same words share the file, but neither title nor ETag', async () => {
    const [one, other] = [await titled('One'), await titled('Two')];
    expect(new URL(one.url).pathname).toBe(new URL(other.url).pathname);
    const [first, second] = [await fetch(one.url), await fetch(other.url)];
    expect(first.headers.get('etag')).not.toBe(second.headers.get('etag'));
    expect(first.headers.get('content-disposition')).toContain('filename="One.mp3"');
    expect(second.headers.get('content-disposition')).toContain('filename="Two.mp3"');
  });

  test('that cannot be changed in the address', async () => {
    const { url: address } = await titled('Mine');
    for (const change of [
      (one: URL) => {
        one.searchParams.set('name', 'Yours');
      },
      (one: URL) => {
        one.searchParams.delete('name');
      },
      (one: URL) => {
        one.searchParams.append('name', 'Yours');
      },
    ]) {
      const changed = new URL(address);
      change(changed);
      const answer = await fetch(changed);
      expect([answer.status, answer.headers.get('content-disposition')]).toEqual([403, null]);
    }
  });
});

test('pages of other sites can read what a player needs', async () => {
  const { headers } = await get({ range: 'bytes=0-0', origin: 'https://player.example' });
  expect(headers.get('access-control-allow-origin')).toBe('*');
  for (const name of [
    'content-range',
    'accept-ranges',
    'content-length',
    'content-disposition',
    'etag',
  ])
    expect([name, headers.has(name)]).toEqual([name, true]);
  const exposed = headers.get('access-control-expose-headers')?.split(', ');
  expect(exposed).toEqual(
    expect.arrayContaining([
      'content-range',
      'accept-ranges',
      'content-length',
      'etag',
      'content-disposition',
    ]),
  );
});

test('a file that was deleted is 404', async () => {
  const key = new URL(captions).pathname.split('/').at(-1) ?? '';
  const path = join(talebank.dataDir, 'audio', key.slice(0, 2), key);
  await rename(path, `${path}.away`);
  expect((await fetch(captions)).status).toBe(404);
  await rename(`${path}.away`, path);
  expect((await fetch(captions)).status).toBe(200);
});

describe('a sample of a voice', () => {
  test('is an MP3 of a few seconds that needs no token, whole and in part', async () => {
    const { voices } = await ask(url, VoiceSamples, {});
    for (const wanted of ['espeak-en-gb', 'espeak-pl', 'espeak-ja']) {
      const address = voices.find(({ id }) => id === wanted)?.sampleUrl ?? '';
      const answer = await fetch(address, { headers: { origin: 'https://player.example' } });
      expect([wanted, answer.status]).toEqual([wanted, 200]);
      expect(answer.headers.get('content-type')).toBe('audio/mpeg');
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      const bytes = await bytesOf(answer);
      expect(answer.headers.get('content-length')).toBe(String(bytes.length));
      const { durationSeconds, looksSilent } = readMp3(bytes);
      expect([durationSeconds > 1, durationSeconds < 15, looksSilent]).toEqual([true, true, false]);
      const part = await fetch(address, { headers: { range: 'bytes=10-19' } });
      expect([part.status, await bytesOf(part)]).toEqual([206, bytes.slice(10, 20)]);
      const head = await fetch(address, { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length')]).toEqual([
        200,
        String(bytes.length),
      ]);
      const etag = answer.headers.get('etag') ?? '';
      expect((await fetch(address, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
  });

  test('is offered for every voice, and the voice reads its script', async () => {
    const { sampleTextOf } = await compiled<{ sampleTextOf: (language: string) => string | null }>(
      'services/narrations/samples/texts.js',
    );
    const { canRead, countLetters } = await compiled<{
      canRead: (languages: readonly string[], letters: unknown) => boolean;
      countLetters: (text: string) => unknown;
    }>('domain/spoken/scripts.js');
    const { voices } = await ask(url, VoiceSamples, {});
    const wrong = voices.filter(({ sampleUrl, languages }) => {
      const text = sampleTextOf(languages[0] ?? '');
      return sampleUrl === null || text === null || !canRead(languages, countLetters(text));
    });
    expect(wrong).toEqual([]);
    expect(voices.length).toBeGreaterThan(80);
  });
});

describe('a recording begins with a tag', () => {
  const titled = async (title: string, author: string): Promise<Uint8Array<ArrayBuffer>> => {
    const story = await newStory(url, admin, { title, author, content: WORDS });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    const audio = await waitForAudio(url, listener, audioId);
    const bytes = await bytesOf(await fetch(audio.url ?? ''));
    expect(bytes.length).toBe(audio.byteSize);
    return new Uint8Array(bytes);
  };

  test('that says title, author, language, and that the voice is synthetic', async () => {
    const title = 'Żółw / "i" ירח 🐢';
    const bytes = await titled(title, 'Ada Zięba & 月');
    const { common, format } = await parseBuffer(bytes, { mimeType: 'audio/mpeg' });
    expect(common).toMatchObject({
      title,
      artist: 'Ada Zięba & 月',
      language: 'eng',
      comment: [{ language: 'eng', text: 'Spoken by a synthetic voice.' }],
    });
    expect(format.tagTypes).toEqual(['ID3v2.3']);
    const [picture] = common.picture ?? [];
    expect([picture?.format, picture?.type]).toEqual(['image/png', 'Cover (front)']);
    expect(decode(picture?.data ?? new Uint8Array())).toMatchObject({ width: 300, height: 300 });
    expect(format.duration).toBeCloseTo(readMp3(bytes).durationSeconds, 1);
  });

  test('which ffprobe reads, where it is installed', async () => {
    const bytes = await titled('Moon and Window', 'Ada Zięba');
    const probe = spawnSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_format', '-'], {
      input: bytes,
      encoding: 'utf8',
    });
    if (probe.error !== undefined) return;
    const { format } = JSON.parse(probe.stdout) as { format: { tags: Record<string, string> } };
    expect(probe.stderr).toBe('');
    expect(format.tags).toMatchObject({
      title: 'Moon and Window',
      artist: 'Ada Zięba',
      language: 'eng',
      comment: 'Spoken by a synthetic voice.',
    });
  });

  test('and has its chapters at the times of their headings', async () => {
    const content =
      '# The *Pond*\n\nA frog sat in it.\n\nChapter I\n\nThe Moon\n\nIt rose. It shone.\n\n* * *\n\nAll slept.\n\nChapter II. Żaba\n\nIt sang.';
    const story = await newStory(url, admin, {
      title: 'Three',
      author: 'Ada',
      content,
      announced: true,
    });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    const audio = await waitForAudio(url, listener, audioId);
    const bytes = new Uint8Array(await bytesOf(await fetch(audio.url ?? '')));
    expect(bytes.length).toBe(audio.byteSize);
    const { common, format } = await parseBuffer(bytes, { mimeType: 'audio/mpeg' });
    expect([common.title, common.artist, common.language]).toEqual(['Three', 'Ada', 'eng']);
    const { durationSeconds } = readMp3(bytes);
    expect(format.duration).toBeCloseTo(durationSeconds, 1);
    const vtt = await (await fetch(audio.captionsUrl ?? '')).text();
    const startOf = (words: string): number => {
      const [, h, m, s] =
        new RegExp(`(\\d\\d):(\\d\\d):([\\d.]+) --> \\S+\\n.*${words}`, 'm').exec(
          vtt.replaceAll(/<[^<>]*>/gu, ''),
        ) ?? [];
      return Math.round((Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1000) / 1000;
    };
    const starts = [startOf('Pond'), startOf('Chapter I$'), startOf('Chapter II')];
    expect(format.chapters?.map(({ title, start, end }) => [title, start, end])).toEqual([
      ['The Pond', starts[0], starts[1]],
      ['Chapter I – The Moon', starts[1], starts[2]],
      ['Chapter II. Żaba', starts[2], expect.closeTo(durationSeconds, 2)],
    ]);

    const end = tagLength(bytes);
    for (const [first, last] of [
      [end - 200, end - 1],
      [end - 1, end],
      [end, end + 50],
      [20, bytes.length - 1],
    ] as const) {
      const headers = { range: `bytes=${String(first)}-${String(last)}` };
      const part = await fetch(audio.url ?? '', { headers });
      expect(await bytesOf(part)).toEqual(bytes.slice(first, last + 1));
    }
    const untagged = new URL(audio.url ?? '');
    untagged.searchParams.delete('tag');
    // An address of an earlier release: it returns the tag with the chapters, and the same sound.
    const older = new Uint8Array(await bytesOf(await fetch(untagged)));
    expect(older.slice(tagLength(older))).toEqual(bytes.slice(end));
    expect((await parseBuffer(older, { mimeType: 'audio/mpeg' })).format.chapters).toHaveLength(3);

    const probe = spawnSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_chapters', '-'], {
      input: bytes,
      encoding: 'utf8',
    });
    if (probe.error !== undefined) return;
    const { chapters } = JSON.parse(probe.stdout) as {
      chapters: { start_time: string; tags: { title: string } }[];
    };
    expect(probe.stderr).toBe('');
    expect(chapters.map((one) => [one.tags.title, Number(one.start_time)])).toEqual([
      ['The Pond', starts[0]],
      ['Chapter I – The Moon', starts[1]],
      ['Chapter II. Żaba', starts[2]],
    ]);
  });

  test('of its own story, before the same sound', async () => {
    const [one, other] = [await titled('One tag', 'First'), await titled('Another', 'Second')];
    expect(one.subarray(0, tagLength(one))).not.toEqual(other.subarray(0, tagLength(other)));
    expect(Buffer.from(one.subarray(tagLength(one)))).toEqual(
      Buffer.from(other.subarray(tagLength(other))),
    );
  });

  test('and ranges inside of it, over its end and behind it agree with the whole', async () => {
    const end = tagLength(whole);
    expect(end).toBeGreaterThan(50);
    for (const [first, last] of [
      [0, 9],
      [0, end - 1],
      [end - 1, end - 1],
      [end - 1, end],
      [end - 7, end + 100],
      [end, end],
      [end + 3, end + 20],
      [3, whole.length - 1],
    ] as const) {
      const part = await get({ range: `bytes=${String(first)}-${String(last)}` });
      expect([part.status, part.headers.get('content-range')]).toEqual([
        206,
        `bytes ${String(first)}-${String(last)}/${String(whole.length)}`,
      ]);
      expect(part.headers.get('content-length')).toBe(String(last - first + 1));
      expect(await bytesOf(part)).toEqual(whole.slice(first, last + 1));
    }
  });

  test('that cannot be exchanged in the address', async () => {
    const story = await newStory(url, admin, { title: 'Theirs', content: WORDS });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    const theirs = (await waitForAudio(url, listener, audioId)).url ?? '';
    const mine = new URL(file);
    mine.searchParams.set('tag', new URL(theirs).searchParams.get('tag') ?? '');
    expect((await fetch(mine)).status).toBe(403);
    mine.searchParams.set('tag', 'WyJhIiwiYiIsImVuIl0');
    expect((await fetch(mine)).status).toBe(403);
    mine.searchParams.delete('tag');
    // As of an address of an earlier release.
    expect(await bytesOf(await fetch(mine))).toEqual(whole.slice(tagLength(whole)));
  });
});
