import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-sse';
import { asUserId } from '../../src/domain/ids.js';
import { openTestApp } from '../support/app.js';
import { ask, send } from '../support/client.js';
import { grant } from '../support/commands.js';
import { follow, followTyped, stopFollowing, type Following } from '../support/events.js';
import { holdNarrations, until } from '../support/faults.js';
import {
  AudioUpdated,
  CreditsUpdated,
  RefundAudio,
  SetUserRole,
  SuspendUser,
} from '../support/operations.js';
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
import { ADMIN, startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';
import type { CreditsUpdatedSubscription } from '../support/generated/graphql.js';
import { expectBelow, timeOf } from '../support/measure.js';

let talebank: Talebank;
let url: string;
/** Another process, where everything is done that is followed at the first. */
let elsewhere: ServerProcess;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  elsewhere = await talebank.join({ ROLE: 'all' });
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterEach(stopFollowing);
afterAll(() => talebank.close());

const credits = (person: Person): Promise<Following<CreditsUpdatedSubscription>> =>
  followTyped(url, CreditsUpdated, {}, person.token);
const balances = ({ events }: Following<CreditsUpdatedSubscription>): (number | undefined)[] =>
  events.map(({ data }) => data?.creditsUpdated.balance);

test('a narration is followed to its end, from another process than the one that makes it', async () => {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 20 });
  // So long that it is told of more than once in between on a fast machine, too.
  const story = await newStory(url, admin, { length: 6_000 });
  const begin = await holdNarrations(talebank.database);
  const { audioId } = await narrate(elsewhere.url, person, story.id, voiceId);
  const following = await followTyped(url, AudioUpdated, { id: audioId }, person.token);
  await until('it is followed', () => following.events.length > 0);
  await begin();
  expect(following.status).toBe(200);
  expect(following.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const ready = await following.until(
    ({ audioUpdated }) => audioUpdated.status === 'READY',
    120_000,
  );
  expect(ready.data?.audioUpdated.url).toContain('/files/');
  const seen = following.events.map(({ data }) => data?.audioUpdated);
  expect(seen[0]?.status).toBe('QUEUED');
  const progress = seen.map((audio) => audio?.progress ?? 0);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
  expect(progress.filter((part) => part > 0 && part < 1).length).toBeGreaterThan(1);
});

test('of a long text, something is told at least every second', async () => {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 20 });
  await expectBelow(1_000, async () => {
    const story = await newStory(url, admin, { length: 2500 });
    const { audioId } = await narrate(elsewhere.url, person, story.id, voiceId);
    const following = await followTyped(url, AudioUpdated, { id: audioId }, person.token);
    await following.until(({ audioUpdated }) => audioUpdated.status === 'READY', 120_000);
    const { events } = following;
    return Math.max(...events.slice(1).map(({ at }, index) => at - (events[index]?.at ?? 0)));
  });
});

test('points are followed: granted, spent, given back, each told once', async () => {
  const person = await newListener(url);
  const following = await credits(person);
  await following.until(({ creditsUpdated }) => creditsUpdated.balance === 10);
  await sleep(150);
  await grantTo(elsewhere.url, admin, person, { amount: 5 });
  const told = await following.until(({ creditsUpdated }) => creditsUpdated.balance === 15);
  expect(told.data?.creditsUpdated.bySource).toEqual([
    { source: 'ADD_ON', balance: 5 },
    { source: 'FREE', balance: 10 },
  ]);
  const story = await newStory(url, admin);
  const { audioId } = await narrate(elsewhere.url, person, story.id, voiceId);
  await following.until(({ creditsUpdated }) => creditsUpdated.balance === 14);
  await ask(elsewhere.url, RefundAudio, { input: { audioId, reason: 'A test' } }, admin.token);
  await until('it is told', () => balances(following).at(-1) === 15);
  await sleep(300);
  expect(balances(following)).toEqual([10, 15, 14, 15]);
});

test('what changes in another process is told within a second', async () => {
  const person = await newListener(url);
  const following = await credits(person);
  let balance = 10;
  await following.until(({ creditsUpdated }) => creditsUpdated.balance === balance);
  await expectBelow(1_000, async () => {
    balance += 1;
    const askedAt = performance.now();
    await grantTo(elsewhere.url, admin, person, { amount: 1 });
    const told = await following.until(({ creditsUpdated }) => creditsUpdated.balance === balance);
    return told.at - askedAt;
  });
});

test('points that lapse are announced on time, although the sweep has not booked it', async () => {
  // On a slow machine the first may lapse before they are followed.
  for (const aheadMs of [1_500, 60_000]) {
    const person = await newListener(url);
    const expiresAt = talebank.database.ledgerTime(aheadMs).toISOString();
    const granted = grantTo(url, admin, person, { amount: 3, source: 'EVENT', expiresAt });
    if (!(await granted.then(Boolean, () => false))) continue;
    const following = await credits(person);
    await until('it has begun', () => following.events.length > 0);
    if (balances(following)[0] !== 13) continue;
    const told = await following.until(
      ({ creditsUpdated }) => creditsUpdated.balance === 10,
      aheadMs + 60_000,
    );
    expect(told.data?.creditsUpdated.bySource).toEqual([{ source: 'FREE', balance: 10 }]);
    return;
  }
  throw new Error('The points were never followed.');
});

test('a hundred changes in a row are told together, and the last one for sure', async () => {
  const person = await newListener(url);
  const following = await credits(person);
  await following.until(({ creditsUpdated }) => creditsUpdated.balance === 10);
  const tookMs = await timeOf(async () => {
    await Promise.all(
      Array.from({ length: 100 }, () => grantTo(elsewhere.url, admin, person, { amount: 1 })),
    );
    await following.until(({ creditsUpdated }) => creditsUpdated.balance === 110);
  });
  // Ten a second are told, and a slow machine takes seconds.
  expect(following.events.length).toBeLessThan(Math.max(50, 5 + tookMs / 90));
});

describe('who may not subscribe', () => {
  const AUDIO = AudioUpdated.toString();

  test.each([
    ['nobody', undefined, 'UNAUTHENTICATED', 401],
    ['a wrong token', 'nonsense', 'UNAUTHENTICATED', 401],
  ])('%s is refused', async (_who, token, code, status) => {
    for (const path of ['/graphql', '/graphql/stream']) {
      const following = await follow(url, CreditsUpdated.toString(), {}, { token, path });
      await until('it is over', following.isOver);
      expect(following.status).toBe(status);
      expect(following.events[0]?.errors[0]?.extensions.code).toBe(code);
      expect(following.completed()).toBe(true);
    }
  });

  test.each([
    ['somebody else’s narration', AUDIO, {}, 'NOT_FOUND', 200],
    ['what never was', AUDIO, { id: '00000000-0000-7000-8000-000000000000' }, 'NOT_FOUND', 200],
    ['nonsense', AUDIO, { id: 'nonsense' }, 'NOT_FOUND', 200],
    ['no id at all', AUDIO, { id: null }, 'BAD_USER_INPUT', 400],
    [
      'a field that is not there',
      'subscription { creditsUpdated { rubies } }',
      {},
      'BAD_USER_INPUT',
      400,
    ],
    ['no document', 'subscription {', {}, 'BAD_USER_INPUT', 400],
    ['a query', '{ me { id } }', {}, 'BAD_USER_INPUT', 400],
    [
      'two at once',
      'subscription { creditsUpdated { balance } a: creditsUpdated { balance } }',
      {},
      'BAD_USER_INPUT',
      400,
    ],
  ])('%s is refused by its code', async (_what, query, variables, code, status) => {
    const [owner, other] = [await newListener(url), await newListener(url)];
    const story = await newStory(url, admin);
    const { audioId: id } = await narrate(url, owner, story.id, voiceId);
    const { token } = other;
    const following = await follow(url, query, { id, ...variables }, { token });
    await until('it is over', following.isOver);
    expect(following.events.map(({ errors }) => errors[0]?.extensions.code)).toEqual([code]);
    expect(following.status).toBe(status);
  });

  test('too much at once is refused before anything else', async () => {
    const aliases = Array.from({ length: 51 }, (_, n) => `a${String(n)}: balance`).join(' ');
    const response = await fetch(`${url}/graphql/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: `subscription { creditsUpdated { ${aliases} } }` }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX', what: 'aliases' } }],
    });
  });

  test('a subscription that is asked for as if it were a query is told how to ask', async () => {
    const { token } = await newListener(url);
    const { status, errors } = await send(url, CreditsUpdated.toString(), {}, { token });
    expect(status).toBe(400);
    expect(errors).toMatchObject([
      {
        message: expect.stringContaining('text/event-stream'),
        extensions: { code: 'BAD_USER_INPUT' },
      },
    ]);
  });
});

describe('when the session ends, so does what it follows, within a second', () => {
  const ends = (end: (person: Person) => Promise<unknown>, code: string): Promise<void> =>
    expectBelow(1_000, () => timeToEnd(end, code));

  async function timeToEnd(
    end: (person: Person) => Promise<unknown>,
    code: string,
  ): Promise<number> {
    const person = await newListener(url);
    const bystander = await newListener(url);
    const story = await newStory(url, admin, { length: 900 });
    const { audioId } = await narrate(url, person, story.id, voiceId);
    const followed = [
      await credits(person),
      await followTyped(url, AudioUpdated, { id: audioId }, person.token),
    ];
    const stays = await credits(bystander);
    await until('both have begun', () => followed.every(({ events }) => events.length > 0));
    await sleep(300);
    await end(person);
    const endedAt = performance.now();
    await until('both are over', () => followed.every((one) => one.isOver()));
    const durationMs = performance.now() - endedAt;
    for (const { events, completed } of followed) {
      expect(events.at(-1)).toMatchObject({ data: null, errors: [{ extensions: { code } }] });
      expect(completed()).toBe(true);
    }
    expect(stays.isOver()).toBe(false);
    return durationMs;
  }

  test('signing out elsewhere', () =>
    ends(
      ({ token }) => send(elsewhere.url, 'mutation { logout }', {}, { token }),
      'UNAUTHENTICATED',
    ));

  test('being suspended', () =>
    ends(
      ({ id }) => ask(elsewhere.url, SuspendUser, { userId: id, reason: 'A test' }, admin.token),
      'ACCOUNT_SUSPENDED',
    ));

  test('lapsing, which no event announces', () =>
    ends(
      ({ id }) =>
        talebank.database.sql(
          `UPDATE sessions SET expires_at = now() + interval '0.3 seconds' WHERE user_id = $1`,
          [id],
        ),
      'UNAUTHENTICATED',
    ));
});

test('a role that is taken away while something is followed shows nothing more of others', async () => {
  const person = await newListener(url);
  const story = await newStory(url, admin);
  const { audioId } = await narrate(elsewhere.url, person, story.id, voiceId);
  await waitForAudio(url, person, audioId);
  await ask(url, RefundAudio, { input: { audioId, reason: 'A test' } }, admin.token);
  const setRole = (role: 'AUDITOR' | 'USER'): Promise<unknown> =>
    ask(elsewhere.url, SetUserRole, { userId: person.id, role, reason: 'A test' }, admin.token);
  const isForbidden = async (): Promise<boolean> =>
    (await send(url, '{ auditLog { nodes { id } } }', {}, { token: person.token })).errors.length >
    0;
  await setRole('AUDITOR');
  await until('the role holds', async () => !(await isForbidden()));
  const following = await follow<{
    audioUpdated: { transactions: { actor: { email: string } | null }[] };
  }>(
    url,
    `subscription ($id: ID!) { audioUpdated(id: $id) { transactions { actor { email } } } }`,
    { id: audioId },
    { token: person.token },
  );
  await until('it begins', () => following.events.length > 0);
  expect(following.events[0]?.data?.audioUpdated.transactions).toEqual([
    { actor: null },
    { actor: { email: ADMIN.email } },
  ]);
  await setRole('USER');
  await until('the role is gone', isForbidden);
  const changed = `UPDATE audios SET progress = 0.5, updated_at = updated_at + interval '1 millisecond' WHERE id = $1`;
  await talebank.database.sql(changed, [audioId]);
  await until('it goes on', () => following.events.length > 1);
  const { data, errors } = following.events[1] ?? {};
  expect(data?.audioUpdated.transactions).toEqual([{ actor: null }, { actor: null }]);
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  expect(following.isOver()).toBe(false);
});

test('a client that knows the protocol needs nothing but the address and a token', async () => {
  const person = await newListener(url);
  const client = createClient({
    url: `${url}/graphql/stream`,
    headers: { authorization: `Bearer ${person.token}` },
  });
  const seen: unknown[] = [];
  const events = client.iterate({ query: CreditsUpdated.toString() });
  for await (const { data } of events) {
    seen.push((data as unknown as CreditsUpdatedSubscription).creditsUpdated.balance);
    if (seen.length === 1) await grantTo(url, admin, person, { amount: 2 });
    if (seen.length === 2) break;
  }
  expect(seen).toEqual([10, 12]);
  client.dispose();
});

const openSubscriptions = async (): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^talebank_subscriptions (\d+)/m.exec(text)?.[1]);
};

test('a client that disconnects is forgotten', async () => {
  await until('nobody follows', async () => (await openSubscriptions()) === 0);
  const person = await newListener(url);
  const several = await Promise.all(Array.from({ length: 20 }, () => credits(person)));
  expect(await openSubscriptions()).toBe(20);
  for (const one of several) one.close();
  await until('they are forgotten', async () => (await openSubscriptions()) === 0);
});

test('a lost line to the database costs no change: what was missed is told when it is back', async () => {
  const person = await newListener(url);
  const following = await credits(person);
  await following.until(({ creditsUpdated }) => creditsUpdated.balance === 10);
  await sleep(200);
  await talebank.database.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'talebank-notices'`,
  );
  await grantTo(url, admin, person, { amount: 7 });
  await following.until(({ creditsUpdated }) => creditsUpdated.balance === 17);
});

test('a client that does not read is dropped, and delays no other', async () => {
  const person = await newListener(url);
  const userId = asUserId(person.id);
  // Points that lapse at many instants, queried many times over, make events that fill all buffers on the way. Long
  // names make them large with few values, because each value takes the server time.
  const app = await openTestApp(talebank.database);
  await Promise.all(
    Array.from({ length: 400 }, (_, n) =>
      grant(app, userId, {
        amount: 1,
        expiresAt: talebank.database.ledgerTime(3_600_000 + n * 1000),
      }),
    ),
  );
  const name = 'n'.repeat(190);
  const many = Array.from({ length: 12 }, (_, n) => `a${String(n)}: expiring { ${name}: at }`);
  const body = JSON.stringify({ query: `subscription { creditsUpdated { ${many.join(' ')} } }` });
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(
    `POST /graphql/stream HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n` +
      `accept: text/event-stream\r\nauthorization: Bearer ${person.token}\r\n` +
      `content-length: ${String(body.length)}\r\n\r\n${body}`,
  );
  const reader = await credits(person);
  await until('both are open', async () => (await openSubscriptions()) === 2);
  await until(
    'it is dropped',
    async () => {
      await grant(app, userId, { amount: 1 });
      return (await openSubscriptions()) === 1;
    },
    180_000,
  );
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
    /^talebank_subscriptions_dropped_total 1$/m,
  );
  let balance = 0;
  await expectBelow(2_000, () => {
    balance += 1_000_000;
    return timeOf(async () => {
      await grant(app, userId, { amount: 1_000_000 });
      await reader.until(({ creditsUpdated }) => creditsUpdated.balance > balance);
    });
  });
  socket.destroy();
  await app.close(1000);
});

test('a request behind a stream on one connection is cut off, and nothing stays', async () => {
  const person = await newListener(url);
  const { hostname, port } = new URL(url);
  const body = JSON.stringify({ query: CreditsUpdated.toString() });
  const request =
    `POST /graphql/stream HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n` +
    `authorization: Bearer ${person.token}\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
  const socket = connect({ host: hostname, port: Number(port) });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined).resume();
  socket.write(request.repeat(50));
  await closed;
  await until('they are forgotten', async () => (await openSubscriptions()) === 0);
});

test('one person has only so many, and everybody else has theirs', async () => {
  const server = await talebank.join({
    ROLE: 'api',
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_REGISTER: '1000/1',
    SUBSCRIPTIONS_PER_USER: '5',
    RATE_LIMIT_CREDIT_READS: '7/60',
  });
  const [greedy, modest] = [await newListener(server.url), await newListener(server.url)];
  for (let count = 0; count < 5; count += 1) {
    const { status } = await followTyped(server.url, CreditsUpdated, {}, greedy.token);
    expect(status).toBe(200);
  }
  const refused = await followTyped(server.url, CreditsUpdated, {}, greedy.token);
  await until('it is over', refused.isOver);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('60');
  expect(refused.events[0]?.errors[0]?.extensions.code).toBe('RATE_LIMITED');
  expect((await followTyped(server.url, CreditsUpdated, {}, modest.token)).status).toBe(200);
  // Each of the six was a read of points, and the seventh is the last.
  const read = async (): Promise<number> =>
    (await send(server.url, '{ me { credits { balance } } }', {}, greedy)).status;
  expect([await read(), await read()]).toEqual([200, 429]);
  // Listening to what is being made counts as well.
  const story = await newStory(url, admin, { length: 2000 });
  const begin = await holdNarrations(talebank.database);
  const { audioId } = await narrate(server.url, greedy, story.id, voiceId);
  const query = `{ audio(id: "${audioId}") { streamUrl } }`;
  const { data } = await send<{ audio: { streamUrl: string } }>(server.url, query, {}, greedy);
  const stream = await fetch(data?.audio.streamUrl ?? '');
  expect([stream.status, stream.headers.get('retry-after')]).toEqual([429, '60']);
  await begin();
  stopFollowing();
  await server.stop();
});

test('a change that a hundred follow does not hold up what others ask', async () => {
  const [popular, other] = [await newListener(url), await newListener(url)];
  const all = await Promise.all(Array.from({ length: 100 }, () => credits(popular)));
  await until('all have begun', () => all.every(({ events }) => events.length === 1));
  let balance = 10;
  // A slow machine slows everything, but a client that was held up would wait for most of the time.
  await expectBelow(0.5, async () => {
    balance += 3;
    await grantTo(elsewhere.url, admin, popular, { amount: 3 });
    const startedAt = performance.now();
    let slowest = 0;
    while (!all.every((one) => balances(one).includes(balance))) {
      const look = (): Promise<unknown> => send(url, '{ me { id } }', {}, { token: other.token });
      slowest = Math.max(slowest, await timeOf(look));
    }
    return slowest / Math.max(1_000, performance.now() - startedAt);
  });
});

describe('clients that accept events beside JSON', () => {
  const accept = 'application/graphql-response+json, application/json, Text/Event-Stream';

  test('are answered with JSON to what is no subscription', async () => {
    const { token } = await newListener(url);
    const asked = { token, headers: { accept } };
    const { status, data } = await send<{ me: object }>(url, '{ me { __typename } }', {}, asked);
    expect({ status, data }).toEqual({ status: 200, data: { me: { __typename: 'User' } } });
  });

  test('and with events to what is one', async () => {
    const { token } = await newListener(url);
    const following = await follow(
      url,
      CreditsUpdated.toString(),
      {},
      { token, headers: { accept } },
    );
    await until('it has begun', () => following.events.length === 1);
  });
});

test.each([
  ['a batch', '[{"query":"{ me { id } }"}]', 'body'],
  ['a number', '5', 'body'],
  ['nothing', 'null', 'body'],
  ['no document', '{}', 'query'],
  ['a document that is none', '{"query":7}', 'query'],
  [
    'a list of variables',
    '{"query":"subscription { creditsUpdated { balance } }","variables":[1]}',
    'variables',
  ],
  [
    'a condition that is met',
    '{"query":"subscription ($a: Boolean!) { creditsUpdated @skip(if: $a) { balance } }","variables":{"a":true}}',
    'query',
  ],
  [
    'a condition without a variable',
    '{"query":"subscription { creditsUpdated @skip(if: true) { balance } }"}',
    'query',
  ],
  [
    'a condition on a fragment',
    '{"query":"subscription { ... @include(if: false) { creditsUpdated { balance } } }"}',
    'query',
  ],
  [
    'a condition in a fragment',
    '{"query":"subscription { ...A } fragment A on Subscription { creditsUpdated @skip(if: true) { balance } }"}',
    'query',
  ],
])('%s is refused with its field, by either door', async (_what, body, field) => {
  for (const path of ['/graphql/stream', '/graphql']) {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'BAD_USER_INPUT', field } }],
    });
  }
});

test('a stop waits for no subscription', async () => {
  const other = await talebank.join({ ROLE: 'api' });
  const shortestMs = await timeOf(() => other.stop());
  // A client that keeps its connections, as this one does, keeps them for four seconds and more.
  await expectBelow(shortestMs + 3_000, async () => {
    const doomed = await talebank.join({ ROLE: 'api' });
    const person = await newListener(url);
    const following = await followTyped(doomed.url, CreditsUpdated, {}, person.token);
    await until('it has begun', () => following.events.length > 0);
    const stoppedInMs = await timeOf(() => doomed.stop());
    await until('it is over', following.isOver);
    return stoppedInMs;
  });
});
