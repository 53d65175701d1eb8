import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { until } from '../support/faults.js';
import { Login } from '../support/operations.js';
import { englishVoice, narrate, newListener, newStory } from '../support/people.js';
import {
  asStranger,
  CAN_BE_A_STRANGER,
  refusal,
  socketFolderOf,
  strangerRuns,
} from '../support/starting.js';
import { startServer, type ServerProcess, type Unusually } from '../support/talebank.js';

const asRoot = process.getuid?.() === 0;
/** For root, the account of Postgres passes the two folders above its cluster through their group. */
const PASSAGE = asRoot ? 0o710 : 0o700;

const COMPILED = fileURLToPath(new URL('../../dist/.compiled', import.meta.url));

/** Outside of DATA_DIR, in a folder that every user can enter. */
let parent: string;
let dataDir: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'talebank-data-dir-'));
  await chmod(parent, 0o755);
  dataDir = join(parent, 'data');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o7777;
}

/** Signs up, which writes a mail, and has a story narrated that is short, because a stop waits for what is being made. */
async function use({ url }: ServerProcess, folder: string): Promise<void> {
  const listener = await newListener(url);
  const password = (await readFile(join(folder, 'administrator-password'), 'utf8')).trim();
  const input = { email: 'admin@talebank.local', password };
  const { login } = await ask(url, Login, { input });
  const story = await newStory(url, { ...listener, token: login.accessToken });
  await narrate(url, listener, story.id, await englishVoice(url));
  await until('mail and recording are there', async () => {
    const [mails, audio] = await Promise.all([
      readdir(join(folder, 'mail')),
      readdir(join(folder, 'audio'), { recursive: true }),
    ]);
    const kept = mails.some((name) => name.endsWith('.json'));
    return kept && audio.some((name) => name.endsWith('.mp3') || name.endsWith('.partial'));
  });
}

/** Everything below DATA_DIR but what Postgres keeps for itself, with the modes that are not as they must be. */
async function wrongModes(folder = dataDir): Promise<string[]> {
  const wrong: string[] = [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const inside = path.slice(folder.length + 1);
    if (inside.startsWith('postgres/cluster/') || !(entry.isFile() || entry.isDirectory()))
      continue;
    // A narration that is being made replaces its files.
    const found = await modeOf(path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return null;
    });
    if (found === null) continue;
    const must = inside === 'postgres' ? PASSAGE : entry.isFile() ? 0o600 : 0o700;
    if (found !== must) wrong.push(`${inside} ${found.toString(8)}`);
  }
  return wrong;
}

describe('with any umask, other users cannot enter the folders that the server makes', () => {
  const under = (umask: string, more: readonly string[] = []): Unusually => ({
    under: [...more, 'sh', '-c', `umask ${umask}; exec "$@"`, 'sh'],
  });

  test('umask 0277; then folders that earlier releases left readable are closed, and symbolic links of one’s own are followed', async () => {
    const first = await startServer({ DATA_DIR: dataDir }, under('0277'));
    await use(first, dataDir);
    expect(await wrongModes()).toEqual([]);
    expect(await modeOf(dataDir)).toBe(PASSAGE);
    await first.stop();

    await rename(join(dataDir, 'audio'), join(parent, 'disk'));
    await symlink(join(parent, 'disk'), join(dataDir, 'audio'));
    const recordings = await readdir(join(parent, 'disk'));
    for (const name of recordings) await chmod(join(parent, 'disk', name), 0o755);
    for (const name of ['.', 'mail', 'postgres', 'postgres/socket'])
      await chmod(join(dataDir, name), 0o755);
    await chmod(join(dataDir, 'administrator-password'), 0o644);
    const second = await startServer({ DATA_DIR: dataDir });
    expect(await wrongModes()).toEqual([]);
    for (const name of ['', ...recordings])
      expect(await modeOf(join(parent, 'disk', name))).toBe(0o700);
    await second.stop();
  });

  (CAN_BE_A_STRANGER ? test : test.skip)(
    'as an ordinary user (only root can become one)',
    async () => {
      await mkdir(dataDir);
      await chown(dataDir, 65_534, 65_534);
      dataDir = join(dataDir, 'of', 'a', 'user');
      const server = await startServer({ DATA_DIR: dataDir }, under('0222', asStranger));
      await use(server, dataDir);
      const wrong = await wrongModes();
      expect(wrong.filter((line) => !line.startsWith('postgres '))).toEqual([]);
      expect(await modeOf(dataDir)).toBe(0o700);
      expect(await modeOf(join(dataDir, 'postgres'))).toBe(0o700);
      await server.stop();
    },
  );
});

describe('a start is refused with one line', () => {
  const external = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/talebank' };
  const owner = String(process.getuid?.() ?? '');

  test.each([
    ['DATA_DIR', '.', 0o777],
    ['the recordings', 'audio', 0o770],
    ['one of their folders', 'audio/7f', 0o722],
    ['the mail', 'mail', 0o702],
  ])('when others can write to %s', async (_what, folder, mode) => {
    const path = join(dataDir, folder);
    await mkdir(path, { recursive: true });
    await chmod(dataDir, 0o755);
    if (folder.startsWith('audio')) await chmod(join(dataDir, 'audio'), 0o755);
    await chmod(path, mode);
    const mend =
      folder === 'audio/7f' ? `chmod -R go-rwx ${join(dataDir, 'audio')}` : `chmod 700 ${path}`;
    expect(await refusal({ DATA_DIR: dataDir, ...external })).toEqual({
      code: 1,
      said: `Talebank cannot start. ${path} belongs to user ${owner} and has mode 0${mode.toString(8)}, so that other users can write to it, but must have mode 0700: check what is in it, and run \`${mend}\`.`,
    });
    expect(await modeOf(path)).toBe(mode);
  });

  test('when others can write to the folder of the embedded Postgres or to a password', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    await chmod(join(dataDir, 'postgres'), 0o777);
    const mode = `0${PASSAGE.toString(8)}`;
    expect((await refusal({ DATA_DIR: dataDir })).said).toContain(
      `postgres belongs to user ${owner} and has mode 0777, so that other users can write to it, but must have mode ${mode}`,
    );
    await chmod(join(dataDir, 'postgres'), 0o700);
    await writeFile(join(dataDir, 'postgres', 'password'), 'known to others');
    await chmod(join(dataDir, 'postgres', 'password'), 0o666);
    expect((await refusal({ DATA_DIR: dataDir })).said).toMatch(
      /postgres\/password belongs .* mode 0666, .* must have mode 0600: .*`chmod 600 /,
    );
  });

  test('when a file is where a folder must be', async () => {
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'audio'), '');
    expect((await refusal({ DATA_DIR: dataDir, ...external })).said).toBe(
      `Talebank cannot start. ${join(dataDir, 'audio')} must be a folder: remove it, or set another DATA_DIR.`,
    );
  });

  (asRoot ? test : test.skip).each([
    ['DATA_DIR', '.'],
    ['the recordings', 'audio'],
    ['the mail', 'mail'],
    ['the embedded Postgres', 'postgres'],
    ['its cluster', 'postgres/cluster'],
    ['a password', 'postgres/password'],
    ['the administrator’s password', 'administrator-password'],
  ])('when another user owns %s (only root can give files away)', async (_what, inside) => {
    const path = join(dataDir, inside);
    await mkdir(join(path, '..'), { recursive: true });
    if (inside.endsWith('password')) await writeFile(path, '', { mode: 0o600 });
    else await mkdir(path, { recursive: true, mode: 0o700 });
    await chown(path, 65_534, 65_534);
    const { said, code } = await refusal({ DATA_DIR: dataDir });
    expect(said).toMatch(
      /^Talebank cannot start\. .* belongs to user 65534 and has mode 0[67]\d\d, but must belong to user \d+: .*`chown -R \d+ \S+`, or set another DATA_DIR\.$/,
    );
    expect(said).toContain(` ${path} belongs`);
    expect(code).toBe(1);
  });

  (asRoot ? test : test.skip)(
    'when another user has put a symbolic link there (only root can give it away)',
    async () => {
      await mkdir(join(parent, 'elsewhere'));
      await mkdir(dataDir);
      await symlink(join(parent, 'elsewhere'), join(dataDir, 'audio'));
      const { lchown } = await import('node:fs/promises');
      await lchown(join(dataDir, 'audio'), 65_534, 65_534);
      expect((await refusal({ DATA_DIR: dataDir, ...external })).said).toMatch(
        /audio is a symbolic link that belongs to user 65534, but it must belong to user \d+: /,
      );
    },
  );
});

describe('under the umask 000', () => {
  let server: ServerProcess;
  let served: string;
  let ofServer: string;

  beforeAll(async () => {
    ofServer = await mkdtemp(join(tmpdir(), 'talebank-data-dir-'));
    await chmod(ofServer, 0o755);
    served = join(ofServer, 'data');
    server = await startServer(
      // Its own, and not the one of the tests.
      { DATA_DIR: served, NODE_COMPILE_CACHE: '' },
      { under: ['sh', '-c', 'umask 000; exec "$@"', 'sh'] },
    );
    await use(server, served);
  });
  afterAll(async () => {
    await server.stop();
    await rm(ofServer, { recursive: true, force: true });
  });

  test('what V8 keeps of the compiled server is in a folder that no other user can enter', async () => {
    expect((await readdir(COMPILED)).length).toBeGreaterThan(0);
    expect(await modeOf(COMPILED)).toBe(0o700);
  });

  test('what the server makes has the same modes', async () => {
    expect(await wrongModes(served)).toEqual([]);
    expect(await modeOf(served)).toBe(PASSAGE);
  });

  (CAN_BE_A_STRANGER ? describe : describe.skip)(
    'another local user (only root can become one)',
    () => {
      test('reads none of its files', async () => {
        await writeFile(join(ofServer, 'open'), 'for everybody');
        await chmod(join(ofServer, 'open'), 0o644);
        expect(await strangerRuns(`cat '${join(ofServer, 'open')}'`)).toEqual({
          code: 0,
          said: 'for everybody',
        });
        const entries = await readdir(served, { recursive: true, withFileTypes: true });
        const files = entries
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name));
        for (const name of [
          'administrator-password',
          'postgres/password',
          'postgres/owner-password',
          'postgres/cluster/postmaster.pid',
        ])
          expect(files).toContain(join(served, name));
        expect(files.some((path) => path.startsWith(join(served, 'mail')))).toBe(true);
        expect(files.some((path) => path.startsWith(join(served, 'audio')))).toBe(true);
        const paths = files.filter((path) => !path.includes('/base/')).map((path) => `'${path}'`);
        const { said } = await strangerRuns(
          `for file in ${paths.join(' ')}; do cat "$file" && echo "READ $file"; done`,
        );
        expect(said).not.toContain('READ');
        expect(said.split('\n').every((line) => line.includes('Permission denied'))).toBe(true);
      });

      test('lists no folder, writes nothing, and does not get to the socket', async () => {
        const socket = join(await socketFolderOf(served), '.s.PGSQL.5432');
        for (const attempt of [
          `ls '${served}'`,
          `ls '${served}/audio'`,
          `touch '${served}/planted'`,
          `touch '${served}/mail/planted'`,
        ])
          expect((await strangerRuns(attempt)).said).toContain('Permission denied');
        const connect = (path: string): string =>
          `'${process.execPath}' -e 'require("node:net").connect(process.argv[1]).on("connect", () => { console.log("in"); process.exit(0); }).on("error", (error) => console.log(error.code))' '${path}'`;
        expect(await strangerRuns(connect(socket))).toEqual({ code: 0, said: 'EACCES' });
      });
    },
  );
});
