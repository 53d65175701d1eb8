import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { linesOf, statementOf } from '../support/anchors.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';
import { ledgerOn, verifyExport, type Ended } from '../support/ledger-cli.js';
import { cutHistory, preserved } from '../support/tampering.js';

const VERIFIER = fileURLToPath(new URL('../../scripts/verify-export.mjs', import.meta.url));

interface Proof {
  kind: string;
  last_seq: number;
  head_hash: string;
  leaf_index: number;
  path: string[];
  statement: string;
  key: JWK & { kid: string };
}

let database: TestDatabase;
let app: OpenApp;
let folder: string;
let file: string;
/** With two transactions under the anchor and one after it. */
let listener: UserId;
let idle: UserId;
let people: UserId[];
/** What `prove` wrote. */
let proved: string[];

beforeAll(async () => {
  database = await createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'talebank-anchors-'));
  app = await openTestApp(database, { ANCHOR_DIR: join(folder, 'kept') });
  people = await makeAccounts(database, 11);
  [listener, idle] = people as [UserId, UserId];
  for (const userId of people.filter((id) => id !== idle)) await grant(app, userId, { amount: 5 });
  await debit(app, listener, 2);
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  await runMaintenance(app, 'RECONCILE_CREDITS');
  file = join(folder, 'kept', (await readdir(join(folder, 'kept')))[0] ?? '');
  await grant(app, listener, { amount: 3 });
  proved = await prove(listener);
});
afterAll(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function prove(userId: string): Promise<string[]> {
  const { code, stdout, stderr } = await ledgerOn(database.url)('prove', userId, '--anchor', file);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n');
}

const fileOf = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};
const verified = async (lines: readonly string[], ...key: string[]): Promise<Ended> =>
  verifyExport(await fileOf('proof.jsonl', lines.join('\n')), ...key);

/** The lines with another proof. */
const withProof = (change: (proof: Proof) => Partial<Proof>): string[] =>
  proved.map((line) => {
    const parsed = JSON.parse(line) as Proof;
    return parsed.kind === 'proof' ? JSON.stringify({ ...parsed, ...change(parsed) }) : line;
  });
function proofOf(lines: readonly string[]): Proof {
  const found = lines.map((line) => JSON.parse(line) as Proof).find(({ kind }) => kind === 'proof');
  if (found === undefined) throw new Error('There is no proof.');
  return found;
}

test('the verifier has fewer than a hundred lines, and needs nothing but Node', async () => {
  const text = await readFile(VERIFIER, 'utf8');
  expect(text.trimEnd().split('\n').length).toBeLessThan(100);
  const imports = [...text.matchAll(/ from '([^']*)'/g)].map(([, name = '']) => name);
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter((name) => !name.startsWith('node:'))).toEqual([]);
});

test('the proof of every account verifies, with the key in it or one that was kept', async () => {
  const { at } = statementOf(linesOf(await readFile(file, 'utf8')).last.statement);
  const { key } = proofOf(proved);
  const set = [...(await app.keys.publicKeys()), ...(await app.anchorKeys.publicKeys())];
  const alone = await fileOf('key.json', JSON.stringify(key));
  const jwks = await fileOf('jwks.json', JSON.stringify({ keys: set }));
  for (const kept of [[], [alone], [jwks]])
    expect(await verified(proved, ...kept)).toEqual({
      code: 0,
      stdout: `Sound: 3 transactions, 2 lots, the first 2 as of ${String(at)} by the key ${key.kid}\n`,
      stderr: '',
    });
  for (const userId of people) {
    const { code, stdout } = await verified(await prove(userId), jwks);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Sound: /)]);
  }
});

test('an export without a proof verifies, but not where a key is given', async () => {
  const lines = proved.filter((line) => !line.includes('"kind":"proof"'));
  expect((await verified(lines)).stdout).toBe('Sound: 3 transactions, 2 lots\n');
  const kept = await fileOf('key.json', JSON.stringify(proofOf(proved).key));
  expect(await verified(lines, kept)).toMatchObject({
    code: 1,
    stderr: 'anchor: there is no proof in the file\n',
  });
});

const flipped = (hex: string, at: number): string =>
  hex.slice(0, at) + (hex[at] === '0' ? '1' : '0') + hex.slice(at + 1);
const changed = (proof: Proof, statement: Record<string, unknown>): string => {
  const [header = '', , signature = ''] = proof.statement.split('.');
  const payload = JSON.stringify({ ...statementOf(proof.statement), ...statement });
  return [header, Buffer.from(payload).toString('base64url'), signature].join('.');
};

const wrong: [what: string, lines: () => string[], words: RegExp][] = [
  [
    'a changed word in the history',
    () => proved.map((line) => line.replace('"A test"', '"A tesst"')),
    /transaction 1: the hash does not follow/,
  ],
  [
    'a path with another hash',
    () =>
      withProof(({ path }) => ({
        path: path.map((hash, at) => (at === 1 ? flipped(hash, 9) : hash)),
      })),
    /does not lead to the root/,
  ],
  ['a path that is too short', () => withProof(({ path }) => ({ path: path.slice(1) })), /root/],
  [
    'a path that is too long',
    () => withProof(({ path }) => ({ path: [...path, ...path] })),
    /root/,
  ],
  ['another place', () => withProof((proof) => ({ leaf_index: proof.leaf_index + 1 })), /root/],
  [
    'a place behind the end',
    () => withProof((proof) => ({ leaf_index: proof.leaf_index + 16 })),
    /root/,
  ],
  ['another number', () => withProof(() => ({ last_seq: 1 })), /root[^]*1 has another hash/],
  [
    'another head',
    () => withProof((proof) => ({ head_hash: flipped(proof.head_hash, 0) })),
    /root[^]*2 has another hash/,
  ],
  [
    'another root',
    () => withProof((proof) => ({ statement: changed(proof, { root: '0'.repeat(64) }) })),
    /not signed as one[^]*root/,
  ],
  [
    'another instant',
    () => withProof((proof) => ({ statement: changed(proof, { at: '2020-01-01T00:00:00.000Z' }) })),
    /not signed as one/,
  ],
  [
    'another signature',
    () =>
      withProof(({ statement }) => ({
        statement:
          statement.slice(0, -20) + (statement.at(-20) === 'A' ? 'B' : 'A') + statement.slice(-19),
      })),
    /not signed as one/,
  ],
  [
    'another account',
    () => proved.map((line) => line.replace(listener, idle)),
    /does not lead to the root/,
  ],
  [
    'a key by the name of another one',
    () => withProof(({ key }) => ({ key: { ...key, x: 'A'.repeat(43) } })),
    /is not a trusted key/,
  ],
];
test.each(wrong)('%s is no proof', async (_what, lines, words) => {
  const { code, stderr } = await verified(lines());
  expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
});

test('the last account stands nowhere but at its place', async () => {
  const lines = await prove(people.toSorted().at(-1) ?? '');
  expect(proofOf(lines).leaf_index).toBe(people.length - 1);
  const behind = lines.map((line) =>
    line.replace(
      `"leaf_index":${String(people.length - 1)}`,
      `"leaf_index":${String(people.length)}`,
    ),
  );
  expect((await verified(lines)).code).toBe(0);
  expect((await verified(behind)).stderr).toMatch(/does not lead to the root/);
});

test('a proof that is signed with another key, or with one of access tokens, is none where a key was kept', async () => {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const { d: _secret, ...publicJwk } = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const payload = Buffer.from(JSON.stringify(statementOf(proofOf(proved).statement)));
  const sign = (typ: string): Promise<string> =>
    new CompactSign(payload).setProtectedHeader({ alg: 'EdDSA', typ, kid }).sign(privateKey);
  const statement = await sign('talebank-anchor+jwt');
  const lines = withProof(() => ({ statement, key: { ...publicJwk, kid } }));
  // Alone, it proves the history of some account.
  expect((await verified(lines)).stdout).toContain(`by the key ${kid}`);
  const ours = await fileOf('ours.json', JSON.stringify(proofOf(proved).key));
  // In a set, a key of access tokens has another name.
  const set = { keys: [{ ...publicJwk, kid: 'tokens' }, proofOf(proved).key] };
  const tokens = await fileOf('tokens.json', JSON.stringify(set));
  for (const kept of [ours, tokens]) {
    const { code, stderr } = await verified(lines, kept);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/is not a trusted key/)]);
  }
  const access = await sign('at+jwt');
  const other = withProof(() => ({ statement: access, key: { ...publicJwk, kid } }));
  expect((await verified(other)).stderr).toMatch(/not signed as one/);
});

test('who came later, or whose history is another one, gets no proof', async () => {
  const [late] = (await makeAccounts(database, 1)) as [UserId];
  const ledger = ledgerOn(database.url);
  const refusal = async (userId: string): Promise<unknown> => {
    const { code, stdout, stderr } = await ledger('prove', userId, '--anchor', file);
    return [code, stdout, stderr];
  };
  expect(await refusal(late)).toEqual([1, '', expect.stringMatching(/it was opened later/)]);
  const cut = await preserved(database, async () => {
    await cutHistory(database, listener, 1);
    return refusal(listener);
  });
  expect(cut).toEqual([1, '', expect.stringMatching(/is not the one that the anchor has/)]);
});
