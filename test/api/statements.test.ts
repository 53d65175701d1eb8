import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { send } from '../support/client.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { countStatements, type StatementCounter } from '../support/statement-counter.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let counter: StatementCounter;
let url: string;
let listener: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  counter = await countStatements(talebank.database.url);
  const admin = await administrator(talebank.url);
  listener = await newListener(talebank.url);
  await grantTo(talebank.url, admin, listener, { amount: 100 });
  const voiceId = await englishVoice(talebank.url);
  for (let number = 0; number < 60; number += 1) {
    const story = await newStory(talebank.url, admin, { length: 100 + number });
    await narrate(talebank.url, listener, story.id, voiceId);
  }
  url = (await talebank.join({ ROLE: 'api', DATABASE_URL: counter.url })).url;
});
afterAll(async () => {
  await talebank.close();
  counter.close();
});

/** The fewest of several runs: what the server does by itself in the background comes and goes. */
async function statementsOf(
  query: string,
  nodes: (data: never) => unknown[],
  expected: number,
): Promise<number> {
  let fewest = Infinity;
  for (let run = 0; run < 20 && fewest > 0; run += 1) {
    counter.take();
    const { data, errors } = await send(url, query, {}, { token: listener.token });
    expect(errors).toEqual([]);
    expect(nodes(data as never).length).toBe(expected);
    fewest = Math.min(fewest, counter.take());
  }
  return fewest;
}

test.each([
  [
    'stories',
    (first: number) =>
      `{ stories(first: ${String(first)}) { nodes { requiredCredits audio { status } } } }`,
    (data: { stories: { nodes: unknown[] } }) => data.stories.nodes,
    3,
  ],
  [
    'the history',
    (first: number) => `{ me { creditHistory(first: ${String(first)}) { nodes {
      allocations { lot { source } } story { title } audio { status } } } } }`,
    (data: { me: { creditHistory: { nodes: unknown[] } } }) => data.me.creditHistory.nodes,
    8,
  ],
  [
    'everything about narrations',
    (first: number) => `{ me { audio(first: ${String(first)}) { nodes {
      creditsCharged url story { title content } voice { name } transactions { seq allocations { lot { source parent { id } } } debit { seq } actor { id } } } } } }`,
    (data: { me: { audio: { nodes: unknown[] } } }) => data.me.audio.nodes,
    12,
  ],
])('%s cost the same number of statements for 2 as for 50', async (_name, query, nodes, most) => {
  const few = await statementsOf(query(2), nodes, 2);
  const many = await statementsOf(query(50), nodes, 50);
  expect(many).toBe(few);
  expect(many).toBeLessThanOrEqual(most);
});

test('sentences and expected seconds cost the same number of statements for 2 narrations as for 20', async () => {
  const query = (first: number): string =>
    `{ me { audio(first: ${String(first)}) { nodes { expectedSeconds sentences { startMs } story { expectedSeconds(voiceId: "x") } } } } }`;
  const nodes = (data: { me: { audio: { nodes: unknown[] } } }): unknown[] => data.me.audio.nodes;
  const write = (status: string): Promise<unknown> =>
    talebank.database.sql(
      `UPDATE audios SET status = '${status}' WHERE user_id = '${listener.id}'`,
    );
  await write('PROCESSING');
  try {
    const few = await statementsOf(query(2), nodes, 2);
    expect(await statementsOf(query(20), nodes, 20)).toBe(few);
    expect(few).toBeLessThanOrEqual(10);
  } finally {
    await write('QUEUED');
  }
});

test('who asks is known without asking the database', async () => {
  await statementsOf('{ __typename }', () => [1], 1);
  expect(await statementsOf('{ __typename }', () => [1], 1)).toBe(0);
  expect(await statementsOf('{ me { id } }', () => [1], 1)).toBe(1);
});

test('reads of points are counted by one statement, however many there are in a query', async () => {
  const read = (name: string): string => `${name}: me { credits { balance } }`;
  const one = await statementsOf(`{ ${read('a')} }`, () => [1], 1);
  const names = ['a', 'b', 'c', 'd', 'e'];
  expect(await statementsOf(`{ ${names.map(read).join(' ')} }`, () => [1], 1)).toBe(one);
});
