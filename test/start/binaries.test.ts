import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { copyBinaries, findBinaries, shareBinaries } from '../../src/infra/postgres/binaries.js';
import { CAN_BE_A_STRANGER, strangerRuns } from '../support/starting.js';

const asRoot = CAN_BE_A_STRANGER ? test : test.skip;

asRoot('another account runs a copy of Postgres that was installed under umask 077', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'talebank ä '));
  await chmod(folder, 0o711);
  const mask = process.umask(0o077);
  try {
    const installed = await findBinaries({ account: null, folder });
    expect(installed.postgres).toContain('node_modules');
    const { initdb, postgres } = await copyBinaries(installed, folder);
    for (const program of [initdb, postgres])
      expect(await strangerRuns(`'${program}' --version`)).toMatchObject({
        code: 0,
        said: expect.stringContaining('PostgreSQL') as unknown,
      });
    // The next start finds it.
    expect(await copyBinaries(installed, folder)).toEqual({ initdb, postgres });
  } finally {
    process.umask(mask);
    await rm(folder, { recursive: true, force: true });
  }
});

asRoot(
  'copies for folders that are closed are made once, beside those of other versions',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'talebank ä '));
    const mask = process.umask(0o077);
    try {
      const installed = await findBinaries({ account: null, folder: null });
      await chmod(folder, 0o755);
      await mkdir(join(folder, 'programs'), { mode: 0o755 });
      await chmod(join(folder, 'programs'), 0o755);
      await mkdir(join(folder, 'programs', 'of-another-version'));
      // Two servers that start at the same time.
      const [one, two] = await Promise.all([
        shareBinaries(installed, folder),
        shareBinaries(installed, folder),
      ]);
      expect(one).toEqual(two);
      for (const program of [one.initdb, one.postgres])
        expect(await strangerRuns(`'${program}' --version`)).toMatchObject({ code: 0 });
      expect(await readdir(join(folder, 'programs'))).toEqual([
        expect.stringMatching(/^\d+-\d+$/),
        'of-another-version',
      ]);
      await chmod(join(folder, 'programs'), 0o777);
      await expect(shareBinaries(installed, folder)).rejects.toThrow('other users can write to it');
    } finally {
      process.umask(mask);
      await rm(folder, { recursive: true, force: true });
    }
  },
);
