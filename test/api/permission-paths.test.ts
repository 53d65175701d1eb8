import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { askAll, type Asked } from '../support/paths/asking.js';
import { CLASS_OF } from '../support/paths/classes.js';
import {
  complaintOf,
  outcomeExpected,
  outcomeOf,
  ownersOf,
  seenIn,
  strangersOf,
  type Owners,
  type Seen,
} from '../support/paths/judging.js';
import { rootsOf, SAME_AS, type Root } from '../support/paths/roots.js';
import { leaksOf, legitimateOf, secretsOf } from '../support/paths/secrets.js';
import { OBJECT_TYPES, ROOT_FIELDS } from '../support/paths/ways.js';
import { makeWorld, type World } from '../support/paths/world.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let world: World;
let roots: Root[];
let answers: Asked[];
let owners: Owners;
let seen: Seen[];

beforeAll(async () => {
  // Without a worker nothing moves between two questions.
  talebank = await startTalebank({ ROLE: 'api', TRUST_PROXY: 'loopback' });
  world = await makeWorld(talebank);
  roots = rootsOf(world);
  answers = await askAll(world, roots);
  owners = await ownersOf(world);
  seen = answers.flatMap((asked) => seenIn(world, owners, asked));
});
afterAll(() => talebank.close());

/** Enough to see what is wrong. */
const first = (complaints: readonly string[]): string[] => [...new Set(complaints)].slice(0, 10);

const ROOT_TYPES = ['Query', 'Mutation', 'Subscription'];
const FIELDS = OBJECT_TYPES.filter(({ name }) => !ROOT_TYPES.includes(name)).flatMap((type) =>
  Object.keys(type.getFields()).map((field) => `${type.name}.${field}`),
);

test('every field of every object has a class, and every root field that gives objects is asked for', () => {
  const without = FIELDS.filter((field) => !CLASS_OF.has(field)).map(
    (field) =>
      `${field} has no class: say in CLASSES of test/support/paths/classes.ts for whom it is.`,
  );
  expect(without).toEqual([]);
  expect([...CLASS_OF.keys()].filter((field) => !FIELDS.includes(field))).toEqual([]);
  const asked = new Set([...roots.map(({ field }) => field), ...Object.keys(SAME_AS)]);
  const unasked = ROOT_FIELDS.filter((field) => !asked.has(field)).map(
    (field) =>
      `${field} is not asked for: add it to test/support/paths/roots.ts, with what comes of it for each viewer.`,
  );
  expect(unasked).toEqual([]);
});

test('every viewer gets what is for them by every path, and a refusal for everything else', () => {
  const strangers = strangersOf(seen);
  const wrong = answers.flatMap((asked) => {
    const [outcome, expected] = [outcomeOf(asked), outcomeExpected(asked, strangers)];
    const missing = expected.filter((one) => !outcome.includes(one));
    const unexpected = outcome.filter((one) => !expected.includes(one));
    const who = `${asked.viewer} by ${asked.root.label}`;
    return [
      ...missing.map((one) => `${who} did not get ${one}`),
      ...unexpected.map((one) => `${who} got ${one}`),
    ];
  });
  expect(first(wrong)).toEqual([]);
});

test('every value belongs to the viewer who got it, by every path', () => {
  const complaints = seen.flatMap((one) => complaintOf(world, owners, one) ?? []);
  expect(first(complaints)).toEqual([]);
});

test('no answer holds a private value of another person', async () => {
  const secrets = await secretsOf(world, seen);
  const legitimate = legitimateOf(world, owners, seen);
  // The check sees nothing if there is nothing to see.
  for (const { id } of Object.values(world.people))
    expect(secrets.get(id)?.size).toBeGreaterThan(20);
  const leaks = answers.flatMap((asked) => leaksOf(world, asked, secrets, legitimate));
  expect(first(leaks)).toEqual([]);
});

test('every field of every object is reached', () => {
  const reached = new Set(seen.map(({ field }) => field));
  expect(FIELDS.filter((field) => !reached.has(field))).toEqual([]);
});
