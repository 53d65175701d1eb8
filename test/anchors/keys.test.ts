import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { openTestApp } from '../support/app.js';
import { machineClock, V8_FLAGS } from '../support/machine.js';

const KEYS = fileURLToPath(new URL('../../dist/cli/keys.js', import.meta.url));

let database: TestDatabase;

beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await database.drop();
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const keys = (args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...machineClock(), DATABASE_URL: database.url, ...environment };
    execFile(process.execPath, [...V8_FLAGS, KEYS, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

const stored = (): Promise<{ kid: string; private: JWK | null; retired: boolean }[]> =>
  database.sql(
    `SELECT kid, private_jwk AS private, retired_at IS NOT NULL AS retired FROM anchor_keys
     ORDER BY created_at, kid`,
  );

const madeKeys = async (): Promise<JWK[]> =>
  JSON.parse((await keys(['make-anchor'])).stdout) as JWK[];

test('processes that start at once agree on one key, which is named after itself', async () => {
  const apps = await Promise.all([1, 2, 3].map(() => openTestApp(database)));
  const [key, ...others] = await stored();
  expect(others).toEqual([]);
  const names = await Promise.all(apps.map(({ anchorKeys }) => anchorKeys.publicKeys()));
  const kid = await calculateJwkThumbprint(key?.private ?? {});
  for (const [published] of names) {
    expect(published).toMatchObject({ kid, kty: 'OKP', crv: 'Ed25519', use: 'sig' });
    expect(published).not.toHaveProperty('d');
  }
  await Promise.all(apps.map((app) => app.close(1000)));
});

test('a rotation makes another key, destroys the private part of the one that signed, and keeps its public part', async () => {
  const app = await openTestApp(database);
  const [before] = await stored();
  const { code, stdout } = await keys(['rotate-anchor']);
  expect(code).toBe(0);
  const [old, signs] = await stored();
  expect(old).toEqual({ kid: before?.kid, private: null, retired: true });
  expect(signs).toMatchObject({ private: { crv: 'Ed25519' }, retired: false });
  expect((await app.anchorKeys.signing()).kid).toBe(signs?.kid);
  const said = (await keys(['anchors'])).stdout;
  expect(said).toBe(stdout);
  expect(said.trim().split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^${signs?.kid ?? ''} .* signs anchors$`)),
    expect.stringMatching(new RegExp(`^${before?.kid ?? ''} .* signed until `)),
  ]);
  const audit = await database.sql('SELECT action, target, details FROM audit_entries');
  expect(audit).toEqual([
    { action: 'keys rotate-anchor', target: before?.kid, details: { madeKid: signs?.kid } },
  ]);
  await app.close(1000);
  const later = await openTestApp(database);
  const published = (await later.anchorKeys.publicKeys()).map(({ kid }) => kid);
  expect(published.sort()).toEqual([before?.kid, signs?.kid].sort());
  await later.close(1000);
});

test('keys of the environment sign, are published for ever, and leave no private key in the database', async () => {
  await (await openTestApp(database)).close(1000);
  const [inDatabase] = await stored();
  const [first, second] = [...(await madeKeys()), ...(await madeKeys())] as [JWK, JWK];
  const both = { ANCHOR_PRIVATE_KEYS: JSON.stringify([second, first]) };
  for (const [environment, signs] of [
    [{ ANCHOR_PRIVATE_KEYS: JSON.stringify([first]) }, first],
    [both, second],
    [{ ANCHOR_PRIVATE_KEYS: JSON.stringify([second]) }, second],
  ] as const) {
    const app = await openTestApp(database, environment);
    expect((await app.anchorKeys.signing()).kid).toBe(signs.kid);
    await app.close(1000);
  }
  const rows = await stored();
  expect(rows.map(({ kid }) => kid).sort()).toEqual(
    [inDatabase?.kid, first.kid, second.kid].sort(),
  );
  expect(rows.every((row) => row.private === null)).toBe(true);
  const refused = await keys(['rotate-anchor'], both);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/^ANCHOR_PRIVATE_KEYS is set/),
  ]);
  await expect(
    database.sql(`DELETE FROM anchor_keys WHERE kid = '${first.kid ?? ''}'`),
  ).rejects.toThrow(/refused/);
});

test('a key signs either anchors or access tokens', async () => {
  const [one, other] = [...(await madeKeys()), ...(await madeKeys())] as [JWK, JWK];
  await expect(
    openTestApp(database, {
      JWT_PRIVATE_KEYS: JSON.stringify([one, other]),
      ANCHOR_PRIVATE_KEYS: JSON.stringify([{ ...other, kid: 'by another name' }]),
    }),
  ).rejects.toThrow(/must sign either anchors or access tokens/);
});

test.each([
  [{ ANCHOR_PRIVATE_KEYS: '[]' }, /must be at least one private key/],
  [{ ANCHOR_OBJECT_LOCK_DAYS: '30' }, /ANCHOR_S3_BUCKET is not set/],
  [{ ANCHOR_S3_BUCKET: 'anchors', ANCHOR_S3_ACCESS_KEY_ID: 'x' }, /set both or neither/],
])('%j is refused in words', async (environment, words) => {
  await expect(openTestApp(database, environment)).rejects.toThrow(words);
});
