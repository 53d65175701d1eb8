import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ask, send } from '../support/client.js';
import { CancelAudio } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
});
afterAll(() => talebank.close());

interface Listed {
  readonly nodes: readonly Record<string, unknown>[];
  readonly totalCount?: number;
  readonly pageInfo?: { readonly endCursor: string; readonly hasNextPage: boolean };
}

/** What an administrator gets for a field of Query. */
async function listed(field: string, token = admin.token): Promise<Listed> {
  const { data, errors } = await send<{ list: Listed }>(url, `{ list: ${field} }`, {}, { token });
  expect(errors).toEqual([]);
  if (data === null) throw new Error('There is no answer.');
  return data.list;
}

const codeOf = async (field: string, token?: string): Promise<string | undefined> =>
  (await send(url, `{ ${field} }`, {}, { token })).errors[0]?.extensions.code;

describe('stories of the desk', () => {
  test('a search finds drafts and deleted stories by their state, with their number', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const [draft, published, removed] = [
      await newStory(url, admin, { title: `${word} draft`, published: false }),
      await newStory(url, admin, { title: `${word} published` }),
      await newStory(url, admin, { title: `${word} removed` }),
    ];
    const deletion = `mutation { deleteStory(id: "${removed.id}") }`;
    expect((await send(url, deletion, {}, { token: admin.token })).errors).toEqual([]);
    const idsIn = async (states: string): Promise<unknown> => {
      const { nodes, totalCount } = await listed(
        `allStories(search: "${word}"${states}) { totalCount nodes { id state } }`,
      );
      expect(totalCount).toBe(nodes.length);
      return nodes.map(({ id }) => id);
    };
    expect(await idsIn('')).toEqual([removed.id, published.id, draft.id]);
    expect(await idsIn(', state: [DRAFT]')).toEqual([draft.id]);
    expect(await idsIn(', state: [REMOVED, DRAFT, DRAFT]')).toEqual([removed.id, draft.id]);
    expect(await idsIn(', state: []')).toEqual([]);
    expect(await idsIn(', language: "pl"')).toEqual([]);
    // The library has only one of them.
    const library = await listed(`stories(search: "${word}") { totalCount nodes { id } }`);
    expect(library).toEqual({ totalCount: 1, nodes: [{ id: published.id }] });
  });

  test('pages have all stories once, forwards and backwards', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const ids: string[] = [];
    for (let each = 0; each < 5; each += 1)
      ids.unshift((await newStory(url, admin, { title: `${word} ${String(each)}` })).id);
    const seen: unknown[] = [];
    for (let after = ''; ;) {
      const { nodes, pageInfo } = await listed(
        `allStories(search: "${word}", first: 2 ${after}) { nodes { id } pageInfo { endCursor hasNextPage } }`,
      );
      seen.push(...nodes.map(({ id }) => id));
      if (pageInfo?.hasNextPage !== true) break;
      after = `, after: "${pageInfo.endCursor}"`;
    }
    expect(seen).toEqual(ids);
    const last = await listed(`allStories(search: "${word}", last: 2) { nodes { id } }`);
    expect(last.nodes.map(({ id }) => id)).toEqual(ids.slice(-2));
  });
});

test('narrations of all users are filtered by user, status and time', async () => {
  const [ann, ben] = [await newListener(url), await newListener(url)];
  const voiceId = await englishVoice(url);
  const [first, second] = [await newStory(url, admin), await newStory(url, admin)];
  const before = talebank.database.ledgerTime(-1000).toISOString();
  const { audioId: queued } = await narrate(url, ann, first.id, voiceId);
  const { audioId: cancelled } = await narrate(url, ann, second.id, voiceId);
  const { audioId: ofBen } = await narrate(url, ben, second.id, voiceId);
  await ask(url, CancelAudio, { id: cancelled }, ann.token);
  const idsOf = async (filter: string): Promise<unknown[]> =>
    (await listed(`narrations(${filter}) { nodes { id user { id } } }`)).nodes.map(({ id }) => id);
  const ofAnn = `userId: "${ann.id}"`;
  expect(await idsOf(ofAnn)).toEqual([cancelled, queued]);
  expect(await idsOf(`${ofAnn}, last: 1`)).toEqual([queued]);
  expect(await idsOf(`${ofAnn}, status: [FAILED, CANCELLED]`)).toEqual([cancelled]);
  expect(await idsOf(`${ofAnn}, status: [READY, QUEUED, CANCELLED]`)).toEqual([cancelled, queued]);
  expect(await idsOf(`${ofAnn}, status: []`)).toEqual([]);
  expect(await idsOf(`${ofAnn}, to: "${before}"`)).toEqual([]);
  expect(await idsOf(`first: 100, from: "${before}", status: [QUEUED]`)).toEqual(
    expect.arrayContaining([ofBen, queued]),
  );
  const { nodes } = await listed(`narrations(userId: "${ben.id}") { nodes { user { id } } }`);
  expect(nodes).toEqual([{ user: { id: ben.id } }]);
  // Such a read leaves an entry.
  const notes = await listed(
    `auditLog(action: ["readUser"], target: "${ben.id}") { totalCount nodes { actor { id } } }`,
  );
  expect(notes).toEqual({ totalCount: 1, nodes: [{ actor: { id: admin.id } }] });
  for (const field of ['narrations { nodes { id } }', 'allStories { nodes { id } }'])
    expect([await codeOf(field, ann.token), await codeOf(field)]).toEqual([
      'FORBIDDEN',
      'UNAUTHENTICATED',
    ]);
});

test('failed jobs say what failed and whose it was, without secrets', async () => {
  const person = await newListener(url);
  const { audioId } = await narrate(
    url,
    person,
    (await newStory(url, admin)).id,
    await englishVoice(url),
  );
  const insert = (data: object, message: string, secondsAgo: number): Promise<unknown> =>
    talebank.database.sql(
      `INSERT INTO pgboss.job (name, state, data, output, retry_limit, retry_count, started_on, completed_on)
       VALUES ('finish-bulk-revocation', 'failed', $1::json, json_build_object('message', $2::text), 2, 2, now(),
         timestamptz '2026-01-01T00:00:00.000001Z' - $3 * interval '1 second')`,
      [JSON.stringify(data), message, secondsAgo],
    );
  const secret = 'postgres://talebank:hunter2hunter2@db/talebank password=opensesame';
  await insert({ userId: person.id, audioId, attempt: 1 }, `Not here:\n ${secret}`, 0);
  await insert({ userId: person.id }, `No mail to ${person.email}`, 1);
  await insert({ key: 'a key' }, 'x'.repeat(5000), 1);
  await insert({ userId: 'no id', audioId: '\u0007' }, '', 2);
  const FIELDS =
    'nodes { queue attempts error target { __typename id } } pageInfo { endCursor hasNextPage }';
  const seen: Record<string, unknown>[] = [];
  for (let after = ''; ;) {
    const { nodes, pageInfo } = await listed(
      `failedJobs(queue: "finish-bulk-revocation", first: 1 ${after}) { ${FIELDS} }`,
    );
    seen.push(...nodes);
    if (pageInfo?.hasNextPage !== true) break;
    after = `, after: "${pageInfo.endCursor}"`;
  }
  expect(seen.map(({ target }) => target)).toHaveLength(4);
  expect(seen[0]).toMatchObject({
    queue: 'finish-bulk-revocation',
    attempts: 3,
    target: { __typename: 'Audio', id: audioId },
  });
  const text = JSON.stringify(seen);
  for (const leak of ['hunter2', 'opensesame', person.email]) expect(text).not.toContain(leak);
  expect(seen.filter(({ target }) => target !== null)).toHaveLength(2);
  expect(text).toContain(`{"__typename":"User","id":"${person.id}"}`);
  for (const { error } of seen) expect(String(error).length).toBeLessThanOrEqual(500);
  expect(await codeOf('failedJobs(queue: "none") { nodes { id } }', admin.token)).toBe('NOT_FOUND');
  expect(await codeOf('failedJobs(queue: "prune") { nodes { id } }', person.token)).toBe(
    'FORBIDDEN',
  );
});

test('a series of reports has the same figures as its single reports', async () => {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 7 });
  const now = talebank.database.ledgerTime(1000);
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 2, 15)).toISOString();
  const to = now.toISOString();
  const FIELDS = '{ from to outstanding rows { source granted } runOff { day points } }';
  const { data } = await send<{ creditSeries: { from: string; to: string }[] }>(
    url,
    `{ creditSeries(from: "${from}", to: "${to}", bucket: MONTH) ${FIELDS} }`,
    {},
    { token: admin.token },
  );
  const series = data?.creditSeries ?? [];
  expect(series).toHaveLength(3);
  expect(series[0]?.from).toBe(from);
  for (const [index, report] of series.entries()) {
    const { data: single } = await send<{ creditReport: unknown }>(
      url,
      `{ creditReport(from: "${report.from}", to: "${report.to}") ${FIELDS} }`,
      {},
      { token: admin.token },
    );
    expect(single?.creditReport).toEqual(report);
    expect(report.to).toBe(series[index + 1]?.from ?? to);
  }
  const tooMany = `creditSeries(from: "2020-01-01T00:00:00Z", to: "${to}", bucket: DAY) { from }`;
  expect(await codeOf(tooMany, admin.token)).toBe('BAD_USER_INPUT');
});

describe('bulk grants', () => {
  const row = (userId: string): { userId: string; amount: number } => ({ userId, amount: 1 });
  const FIELDS =
    'skipped { row reason code otherRow } recipients { row amount balance user { id email } }';

  test('the preview names users, and each skipped row has a code', async () => {
    const person = await newListener(url);
    const rows = [row(randomUUID()), row(person.id), row(person.id), { amount: 1 }];
    const input = {
      source: 'ADD_ON',
      reason: 'A test',
      idempotencyKey: randomUUID(),
      dryRun: true,
      rows,
    };
    const document = `mutation ($input: BulkGrantInput!) { bulkGrantCredits(input: $input) { ${FIELDS} } }`;
    const { data } = await send<{ bulkGrantCredits: object }>(
      url,
      document,
      { input },
      { token: admin.token },
    );
    const skipped = [
      { row: 0, reason: 'There is no such user.', code: 'UNKNOWN_USER', otherRow: null },
      { row: 2, reason: 'The same user as in row 1.', code: 'REPEATED_USER', otherRow: 1 },
      {
        row: 3,
        reason: 'Neither userId nor email is given.',
        code: 'UNKNOWN_USER',
        otherRow: null,
      },
    ];
    const { id, email } = person;
    const recipients = [{ row: 1, amount: 1, balance: 10, user: { id, email } }];
    expect(data?.bulkGrantCredits).toEqual({ skipped, recipients });
    // The grant itself has no preview. Its replay has the same codes, even if an earlier release stored it without them.
    for (const isStoredWithout of [false, false, true]) {
      if (isStoredWithout)
        await talebank.database.sql(
          `UPDATE bulk_grants SET result = jsonb_set(result, '{skipped}', (
             SELECT jsonb_agg(skip - 'code' - 'otherRow') FROM jsonb_array_elements(result->'skipped') skip))
           WHERE idempotency_key = $1`,
          [input.idempotencyKey],
        );
      const { data: done } = await send<{ bulkGrantCredits: object }>(
        url,
        document,
        { input: { ...input, dryRun: false } },
        { token: admin.token },
      );
      expect(done?.bulkGrantCredits).toEqual({ skipped, recipients: [] });
    }
  });
});

test('totals count the filtered list', async () => {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 1 });
  await grantTo(url, admin, person, { amount: 1, source: 'FREE' });
  const total = async (filter: string): Promise<unknown> =>
    (await listed(`creditHistory${filter} { totalCount nodes { id } }`, person.token)).totalCount;
  expect(await total('(first: 1)')).toBe(3);
  expect(await total('(first: 1, source: [ADD_ON])')).toBe(1);
  expect(await total('(type: [DEBIT])')).toBe(0);
  const users = await listed(`users(search: "${person.email}") { totalCount nodes { id } }`);
  expect(users).toEqual({ totalCount: 1, nodes: [{ id: person.id }] });
});
