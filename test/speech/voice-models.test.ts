import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pack, type Headers } from 'tar-stream';
import type * as Archive from '../../src/infra/speech/sherpa/store/archive.js';
import { CERTIFICATE, KEY } from '../support/certificate.js';
import { compiled } from '../support/compiled.js';
import { machineClock, V8_FLAGS } from '../support/machine.js';
import { filesOf } from '../support/voice-models/models.js';

const { unpackArchive, RefusedArchive } = await compiled<typeof Archive>(
  'infra/speech/sherpa/store/archive.js',
);
const VOICES = fileURLToPath(new URL('../../dist/cli/voices.js', import.meta.url));
/** An archive in bzip2, which nothing in Node can write. It has the file tones/a.txt with the letter a. */
const BZIP2 = fileURLToPath(new URL('fixtures/tones.tar.bz2', import.meta.url));
const LIMITS = { bytesMax: 1_000_000, entriesMax: 50 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'talebank-models-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Part = Partial<Headers> & { readonly name: string; readonly content?: string | Uint8Array };

async function tarOf(parts: readonly Part[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of parts) tar.entry(header, Buffer.from(content));
  tar.finalize();
  return buffer(tar);
}

/** @returns the path of the archive */
async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

const partsOf = (name: string, files = filesOf()): Part[] =>
  Object.entries(files).map(([path, content]) => ({ name: `${name}/${path}`, content }));

/** Unpacks into a new folder. @returns the paths there */
async function unpack(bytes: Uint8Array, limits = LIMITS): Promise<string[]> {
  const place = await mkdtemp(join(folder, 'unpacked-'));
  await unpackArchive(await put('archive', bytes), place, limits);
  return (await readdir(place, { recursive: true })).sort();
}

interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Runs the command as an operator does. */
function voices(
  dataDir: string,
  args: readonly string[],
  more: Record<string, string> = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...machineClock(), DATA_DIR: dataDir, ...more };
    const all = [...V8_FLAGS, VOICES, ...args];
    execFile(process.execPath, all, { env, cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

test('an archive may be plain, in gzip or in bzip2; hidden files are left out', async () => {
  const tar = await tarOf([
    { name: './', type: 'directory' },
    { name: './a/', type: 'directory' },
    { name: './a/b.txt', content: 'b' },
    { name: 'a/._b.txt', content: 'of a Mac' },
    { name: '.secret/c.txt', content: 'c' },
    { name: `a/${'long'.repeat(40)}`, content: 'pax' },
  ]);
  const paths = ['a', 'a/b.txt', `a/${'long'.repeat(40)}`];
  expect(await unpack(tar)).toEqual(paths);
  expect(await unpack(gzipSync(tar))).toEqual(paths);
  expect(await unpack(await readFile(BZIP2))).toEqual(['tones', 'tones/a.txt']);
});

const HARMFUL: readonly (readonly [string, Part, RegExp])[] = [
  ['a path above', { name: '../evil' }, /path that is not allowed: "..\/evil"/],
  ['a path above, inside', { name: 'a/../../evil' }, /not allowed/],
  ['an absolute path', { name: '/tmp/evil' }, /not allowed/],
  ['a path of Windows', { name: 'C:\\evil' }, /not allowed/],
  ['a backslash', { name: 'a\\..\\..\\evil' }, /not allowed/],
  ['an end of line', { name: 'a\nb' }, /not allowed: "a\?b"/],
  ['a path that is too deep', { name: 'a/'.repeat(20) + 'b' }, /not allowed/],
  ['a symbolic link', { name: 'a', type: 'symlink', linkname: '/etc' }, /has a symlink \("a"\)/],
  ['a hard link', { name: 'a', type: 'link', linkname: '/etc/passwd' }, /has a link/],
  [
    'a device',
    { name: 'a', type: 'character-device', devmajor: 1, devminor: 3 },
    /character-device/,
  ],
  ['a pipe', { name: 'a', type: 'fifo' }, /has a fifo/],
];

test.each(HARMFUL)('an archive with %s is refused', async (_, part, why) => {
  const tar = await tarOf([{ name: 'first.txt', content: 'first' }, part]);
  const refused = unpack(gzipSync(tar));
  await expect(refused).rejects.toThrow(why);
  await expect(refused).rejects.toBeInstanceOf(RefusedArchive);
});

test('archives that are damaged, too large or inconsistent are refused', async () => {
  const tar = await tarOf(partsOf('a'));
  const bomb = gzipSync(await tarOf([{ name: 'a', content: Buffer.alloc(2_000_000) }]));
  expect(bomb.length).toBeLessThan(10_000);
  const many = Array.from({ length: 60 }, (_, number) => ({ name: `f${String(number)}` }));
  const bzip2 = Buffer.from(await readFile(BZIP2));
  bzip2.writeUInt8(bzip2.readUInt8(60) ^ 0xff, 60);
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [bomb, /^it has more than 1000000 bytes$/],
    [await tarOf(many), /^it has more than 50 files$/],
    [gzipSync(tar).subarray(0, -20), /^it is damaged/],
    [tar.subarray(0, 2000), /^it is damaged/],
    [bzip2, /^it is damaged/],
    [Buffer.from('nothing of the kind'.repeat(100)), /^it is (?:damaged|no tar archive)/],
    [Buffer.alloc(0), /^it is no tar archive, or it is empty$/],
    [Buffer.from('PK\u0003\u0004 and so on'), /^it is a zip file/],
    [await tarOf([{ name: 'a' }, { name: 'a' }]), /^it has "a" twice$/],
    [await tarOf([{ name: 'a' }, { name: 'a/b' }]), /^it has "a\/b" twice$/],
  ];
  for (const [bytes, why] of cases) {
    const refused = unpack(bytes);
    await expect(refused).rejects.toThrow(why);
    await expect(refused).rejects.toBeInstanceOf(RefusedArchive);
  }
});

test('a long header is refused before it is in memory, and a large file that is left out is not', async () => {
  const limits = { ...LIMITS, bytesMax: 100_000_000 };
  const content = Buffer.alloc(40_000_000);
  const harmful = await tarOf([{ name: 'a', content }]);
  const header = harmful.subarray(0, 512);
  // The type of a header of pax, and the sum of the bytes of the header with blanks in the place of the sum.
  header.write('x', 156);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  await expect(unpack(gzipSync(harmful), limits)).rejects.toThrow(/^it has a header that is too/);
  const harmless = await tarOf([{ name: '.a', content }, { name: 'b' }]);
  expect(await unpack(gzipSync(harmless), limits)).toEqual(['b']);
});

test('the command adds a model, tries it, states its language and removes it', async () => {
  const data = join(folder, 'data');
  const models = join(data, 'voices');
  const nothing = await voices(data, []);
  expect(nothing).toEqual({ code: 0, output: `There is no model in ${models}.\n` });

  const name = 'vits-piper-en_US-tones';
  const bytes = gzipSync(await tarOf(partsOf(name, filesOf({ speakers: 2 }))));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const archive = await put('tones.tar.gz', bytes);
  const wrong = await voices(data, ['add', archive, '--sha256', '0'.repeat(64)]);
  expect(wrong).toEqual({
    code: 1,
    output: `Refused, because its SHA-256 is ${sha256}, which is not the one that was given: download it again, or check --sha256.\n`,
  });
  expect(await readdir(models)).toEqual([]);
  // What a process that was killed has left behind.
  const old = join(models, '.incoming-old');
  await writeFile(old, '');
  await utimes(old, 0, 0);

  const added = await voices(data, ['add', archive, '--sha256', sha256.toUpperCase()]);
  expect(added.output).toContain(`${name}  vits  1 MB  2 voices`);
  expect(added.output).toContain(`  sherpa-${name}:1  Tones, speaker 2  en\n`);
  expect(added.output).toContain(sha256);
  expect(added.code).toBe(0);
  expect(await readdir(models)).toEqual([name]);
  expect((await stat(join(models, name, 'model.onnx'))).mode & 0o077).toBe(0);

  const again = await voices(data, ['add', archive]);
  expect([again.code, again.output]).toEqual([
    1,
    `Refused, because there is a model ${name} already: remove it first, or use --name.\n`,
  ]);

  const out = join(folder, 'tried.wav');
  const tried = await voices(data, ['try', `sherpa-${name}:1`, '--text', 'abc.', '--out', out]);
  expect(tried.output).toMatch(/tried\.wav: 0\.3 s at 16000 Hz, spoken [\d.]+ times as fast/);
  const wav = await readFile(out);
  expect([wav.toString('latin1', 0, 4), wav.readUInt32LE(24), wav.length]).toEqual([
    'RIFF',
    16_000,
    44 + 2 * 4 * 1200,
  ]);
  const twice = await voices(data, ['try', name, '--out', out]);
  expect([twice.code, twice.output]).toEqual([1, expect.stringContaining('EEXIST')]);

  const stated = await voices(data, ['language', name, 'en-GB,cy']);
  expect(stated.output).toContain('Tones, speaker 1  en-GB,cy');
  expect(await voices(data, ['remove', '../data'])).toMatchObject({ code: 1 });
  expect((await voices(data, ['remove', name])).output).toContain(`Removed ${name}.`);
  expect(await readdir(models)).toEqual([]);
  expect((await voices(data, ['dance'])).output).toContain('Usage:');
});

test('a model that does not speak is not added, and nothing of it stays', async () => {
  const data = join(folder, 'data-of-bad-models');
  const bad = filesOf({ metadata: { sample_rate: null } });
  const archive = await put('bad.tar.gz', gzipSync(await tarOf(partsOf('bad', bad))));
  const refused = await voices(data, ['add', archive]);
  expect(refused.code).toBe(1);
  // The engine says why, and so does the command.
  expect(refused.output).toContain("'sample_rate' does not exist in the metadata");
  expect(refused.output).toContain('The model does not speak: The engine cannot use the model');
  const none = await put('none.tar', await tarOf([{ name: 'none/README', content: '-' }]));
  expect((await voices(data, ['add', none])).output).toBe(
    'The model cannot be used, because there is no file that ends with .onnx.\n',
  );
  const link = join(folder, 'link');
  await symlink('/dev/zero', link);
  expect((await voices(data, ['add', link])).output).toMatch(/there is no file/);
  expect(await readdir(join(data, 'voices'))).toEqual([]);
});

test('a model is downloaded over https only, also after redirects', async () => {
  const data = join(folder, 'data-of-downloads');
  const flat = gzipSync(
    await tarOf(Object.entries(filesOf()).map(([name, content]) => ({ name, content }))),
  );
  expect(gunzipSync(flat).length).toBeGreaterThan(1000);
  const insecure = createHttpServer((_, response) => response.end(flat));
  const server: Server = createServer({ cert: CERTIFICATE, key: KEY }, ({ url }, response) => {
    const { port } = insecure.address() as AddressInfo;
    const elsewhere: Readonly<Record<string, string>> = {
      '/moved': '/models/en-flat.tar.gz',
      '/down': `http://localhost:${String(port)}/`,
      '/round': '/round',
    };
    const location = elsewhere[url?.split('?')[0] ?? ''];
    if (location !== undefined) response.writeHead(302, { location }).end();
    else if (url === '/short')
      response
        .writeHead(200, { 'content-length': flat.length })
        .write(flat.subarray(0, 100), () => {
          response.destroy();
        });
    else if (url === '/models/en-flat.tar.gz') response.end(flat);
    else response.writeHead(404).end();
  });
  await Promise.all(
    [server, insecure].map((one) => new Promise<void>((resolve) => one.listen(0, resolve))),
  );
  try {
    const base = `https://localhost:${String((server.address() as AddressInfo).port)}`;
    const trusted = { NODE_EXTRA_CA_CERTS: await put('ca.pem', Buffer.from(CERTIFICATE)) };
    const add = (address: string, more = trusted): Promise<Ran> =>
      voices(data, ['add', address, '--language', 'en', '--name', 'flat'], more);
    const cases: readonly (readonly [string, RegExp])[] = [
      [`${base}/down?secret=1`, /http:\/\/localhost:\d+ is not an address that begins with https/],
      ['http://localhost:1/a', /is not an address that begins with https/],
      ['file:///etc/passwd', /is not an address that begins with https/],
      [`${base}/round`, /redirected too often/],
      [`${base}/missing?secret=1`, /has answered with 404/],
      [`${base}/short`, /the connection has ended before the end of the file/],
      ['https://localhost:1/a', /https:\/\/localhost:1 cannot be reached/],
    ];
    const answers = await Promise.all(cases.map(([address]) => add(address)));
    for (const [index, { code, output }] of answers.entries()) {
      expect(output).toMatch(cases[index]?.[1] ?? /^$/);
      expect(code).toBe(1);
      expect(output).not.toMatch(/secret|passwd:|\n.*\n/);
    }
    // A certificate that this machine does not know.
    expect((await add(`${base}/moved`, { NODE_EXTRA_CA_CERTS: '' })).output).toMatch(
      /cannot be reached/,
    );
    const added = await add(`${base}/moved`);
    expect(added.output).toContain('  sherpa-flat  Flat  en\n');
    expect(await readdir(join(data, 'voices'))).toEqual(['flat']);
  } finally {
    server.close();
    insecure.close();
  }
});
